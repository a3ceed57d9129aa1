"""A picture from its file to what the model answers, through the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from openshelf import wording
from openshelf.chat.attaching import read_attachment
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.interface import AskWith
from openshelf.chat.opening import ModelOpener
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.asking import Sampling
from openshelf.engine.process import Engine
from openshelf.fit.memory import FitRequest
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, no_report
from tests.fakes.example_data import plain_machine
from tests.fakes.tiny_eyes import write_eyes
from tests.fakes.tiny_model import write_sliding_window_model

GREEDY = Sampling(temperature=0, max_tokens=8)


class Home:
    """Two installed models, one of which came with a projector."""

    def __init__(self, folder: Path) -> None:
        write_sliding_window_model(folder / "tiny.gguf", window=1024)
        self.eyes = write_eyes(folder / "mmproj-F16.gguf")
        model, eyes = (
            InstalledFile(path.name, str(path), path.stat().st_size, sha * 64)
            for path, sha in ((folder / "tiny.gguf", "5"), (self.eyes, "6"))
        )
        self.models = {
            "seeing": self._model("seeing", (model, eyes)),
            "blind": self._model("blind", (model,)),
        }

    def _model(self, name: str, files: tuple[InstalledFile, ...]) -> InstalledModel:
        return InstalledModel(
            name, "owner/repo", "c" * 40, name, None, files, "mit", ("mit",), None, "hub",
            "2026-11-26T00:00:00Z", None,
        )  # fmt: skip

    def find(self, model_id: str) -> InstalledModel:
        return self.models[model_id]

    def clear(self, model: InstalledModel) -> Clearance:
        files = tuple(ClearedFile(f.path, f.sha256, f.size_bytes) for f in model.files)
        return Clearance(model.repo, model.commit, files, Verdict.ALLOWED, None, "")

    @property
    def opener(self) -> ModelOpener:
        return ModelOpener(
            self, self.clear, plain_machine, lambda: FitRequest(context_length=1024), lambda: ""
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def chats(home: Home) -> Iterator[Chats]:
    engine = Engine()
    chats = Chats(ConversationStore(None), engine, home.opener.open_model)
    yield chats
    chats.close()
    engine.close()


def send(chats: Chats, model_id: str, *paths: Path) -> Message:
    attached = [read_attachment(path, CancelToken()) for path in paths]
    conversation = chats.new_conversation(model_id)
    return chats.send(
        conversation.id, "what", model_id, GREEDY, CancelToken(), no_report, attached=attached
    )


def test_the_projector_is_loaded_under_the_models_clearance(home: Home) -> None:
    ticket = home.opener.open_model("seeing", CancelToken())
    assert [file.path for file in ticket.order.files] == ["tiny.gguf"]
    assert ticket.order.projector is not None
    assert ticket.order.projector.location == str(home.eyes)
    assert home.opener.open_model("blind", CancelToken()).order.projector is None


def test_what_was_attached_is_seen(chats: Chats, tmp_path: Path) -> None:
    for color in ("red", "blue"):
        Image.new("RGB", (90, 60), color).save(tmp_path / f"{color}.jpg")
    without = send(chats, "seeing")
    red = send(chats, "seeing", tmp_path / "red.jpg")
    blue = send(chats, "seeing", tmp_path / "blue.jpg")
    assert len({without.content, red.content, blue.content}) == 3
    ask = AskWith("seeing", GREEDY)
    again = chats.regenerate(blue.id, ask, CancelToken(), no_report)
    assert again.content == blue.content
    assert again.figures is not None
    assert again.figures.prompt_tokens - again.figures.cached_tokens == 1, "and read once"


def test_a_model_that_cannot_see_says_so_in_a_sentence(chats: Chats, tmp_path: Path) -> None:
    Image.new("RGB", (9, 6), "red").save(tmp_path / "red.png")
    answer = send(chats, "blind", tmp_path / "red.png")
    assert answer.state is MessageState.FAILED
    assert answer.detail is not None
    sentence = wording.sentence(Reason(str(answer.detail["code"]), answer.detail))
    assert sentence.startswith("This model cannot see pictures.")
    other = chats.regenerate(answer.id, AskWith("seeing", GREEDY), CancelToken(), no_report)
    assert other.state is MessageState.LENGTH


def test_a_projector_that_is_gone_or_cut_is_named(chats: Chats, home: Home, tmp_path: Path) -> None:
    from openshelf.errors import CorruptModel

    home.eyes.write_bytes(home.eyes.read_bytes()[:-64])
    seeing = home.models["seeing"]
    home.models["seeing"] = replace(seeing, files=seeing.files)
    with pytest.raises(CorruptModel) as raised:
        send(chats, "seeing")
    assert "mmproj-F16.gguf" in raised.value.path
