"""Pictures through libmtmd: a tiny model with random eyes sees noise, but different noise for
different pictures, and none twice.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from openshelf.engine.asking import ChatMessage, Sampling
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Done, Loaded, Plan
from openshelf.errors import ClearanceRefused, ContextFull, CorruptModel, EngineFailed
from openshelf.tasks import CancelToken, Progress
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_eyes import GEMMA, IDEFICS, LLAVA, QWEN2, QWEN25, write_eyes
from tests.fakes.tiny_model import write_mrope_model, write_sliding_window_model
from tests.fit.projector_recipes import ProjectorRecipe, whisper

GREEDY = Sampling(temperature=0, max_tokens=12)


def picture(color: str, size: tuple[int, int] = (80, 60)) -> str:
    image = Image.new("RGB", size, color)
    image.paste("white", (0, 0, size[0] // 3, size[1] // 2))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


RED, BLUE = picture("red"), picture("blue")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    write_sliding_window_model(path, window=1024)
    return path


def load(engine: Engine, model: Path, eyes: Path | None, context: int = 1024) -> Loaded:
    file = model_file(str(model), model.stat().st_size)
    order, files = load_order(file, plan=Plan(context)), [file]
    if eyes is not None:
        seeing = replace(
            model_file(str(eyes), eyes.stat().st_size), path="mmproj.gguf", sha256="6" * 64
        )
        order, files = replace(order, projector=seeing), [file, seeing]
    return engine.load(clearance_for(*files), order, CancelToken())


def ask(engine: Engine, *messages: ChatMessage) -> tuple[str, Done]:
    parts: list[str] = []
    done = engine.chat(messages, GREEDY, CancelToken(), lambda text, _: parts.append(text))
    return "".join(parts), done


def look(*images: str, text: str = "what") -> ChatMessage:
    return ChatMessage("user", text, images=images)


@pytest.mark.parametrize("recipe", [GEMMA, LLAVA], ids=["gemma3", "llava"])
def test_what_a_model_sees_decides_what_it_says(
    engine: Engine, model: Path, tmp_path: Path, recipe: ProjectorRecipe
) -> None:
    loaded = load(engine, model, write_eyes(tmp_path / "mmproj.gguf", recipe))
    assert loaded.can_see
    blind, plain = ask(engine, look())
    red, done = ask(engine, look(RED))
    again, _ = ask(engine, look(RED))
    blue, _ = ask(engine, look(BLUE))
    assert red == again
    assert len({blind, red, blue}) == 3
    assert done.prompt_tokens > plain.prompt_tokens + 2
    assert done.finish_reason == "length"
    two, both = ask(engine, look(RED, BLUE))
    assert two not in (red, blue)
    assert both.prompt_tokens > done.prompt_tokens + 2
    engine.unload()
    assert engine.loaded is None


def test_a_picture_is_read_once_for_all_turns(engine: Engine, model: Path, tmp_path: Path) -> None:
    load(engine, model, write_eyes(tmp_path / "mmproj.gguf"))
    messages = [look(RED)]
    text, first = ask(engine, *messages)
    for turn in range(3):
        messages += [ChatMessage("assistant", text), look(text=f"more {turn}")]
        text, done = ask(engine, *messages)
        new = done.prompt_tokens - done.cached_tokens
        assert new <= 40, "only what was written since"
        assert done.cached_tokens >= first.prompt_tokens
    _, other = ask(engine, look(BLUE), *messages[1:])
    assert other.cached_tokens < first.prompt_tokens, "another picture is another beginning"
    _, fresh = ask(engine, *messages, ChatMessage("assistant", text), look(BLUE, text="and this"))
    assert fresh.finish_reason == "length"


def test_the_same_answer_with_and_without_what_was_held(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    """What is reused must be what would be read: other words after the same picture."""
    eyes = write_eyes(tmp_path / "mmproj.gguf")
    load(engine, model, eyes)
    ask(engine, look(RED, text="one"))
    reused, done = ask(engine, look(RED, text="two"))
    assert done.cached_tokens > 4
    load(engine, model, eyes)
    fresh, done = ask(engine, look(RED, text="two"))
    assert done.cached_tokens == 0
    assert reused == fresh


def test_a_blind_model_says_so(engine: Engine, model: Path) -> None:
    assert not load(engine, model, None).can_see
    with pytest.raises(EngineFailed) as raised:
        ask(engine, look(RED))
    assert raised.value.why == "cannot_see"
    assert ask(engine, look())[0]


@pytest.mark.parametrize(
    "image",
    [
        "no base64!",
        "",
        base64.b64encode(b"<svg>").decode(),
        base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode(),
        base64.b64encode(b"\xff\xd8\xff" + bytes(500)).decode(),
        RED[: len(RED) // 8 * 4],
        picture("red", (5000, 3)),
    ],
    ids=["text", "nothing", "svg", "no png", "no jpeg", "cut", "wide"],
)
def test_what_is_no_picture_is_refused_and_the_next_is_seen(
    engine: Engine, model: Path, tmp_path: Path, image: str
) -> None:
    load(engine, model, write_eyes(tmp_path / "mmproj.gguf"))
    pid = engine.pid
    with pytest.raises(EngineFailed) as raised:
        ask(engine, look(image))
    assert raised.value.why == "bad_image"
    assert ask(engine, look(RED))[0]
    assert engine.pid == pid


@pytest.mark.parametrize("text", ["<__media__>", "<__image__>", "<__picture_0__>", "<image>"])
def test_nobody_writes_a_picture_into_a_message(
    engine: Engine, model: Path, tmp_path: Path, text: str
) -> None:
    load(engine, model, write_eyes(tmp_path / "mmproj.gguf"))
    assert ask(engine, look(RED, text=text))[1].finish_reason == "length"


def test_too_many_pictures_and_a_context_too_small(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    load(engine, model, write_eyes(tmp_path / "mmproj.gguf"))
    with pytest.raises(EngineFailed) as raised:
        ask(engine, look(*[RED] * 17))
    assert raised.value.why == "bad_image"
    with pytest.raises(ContextFull):
        ask(engine, look(RED, text="word " * 900))


def test_eyes_of_another_family_are_refused(engine: Engine, model: Path, tmp_path: Path) -> None:
    load(engine, model, write_eyes(tmp_path / "mmproj.gguf", IDEFICS))
    with pytest.raises(EngineFailed) as raised:
        ask(engine, look(RED))
    assert raised.value.why == "bad_image"
    assert "another model" in raised.value.detail
    assert ask(engine, look())[0]


def test_a_projector_of_another_width_or_one_that_hears_is_refused(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    wide = replace(IDEFICS, projection=128)
    wide = replace(wide, extra={**wide.extra, "mm.model.fc.weight": (64 * 4, 128)})
    for name, recipe in (
        ("wide", wide),
        ("ears", whisper("ultravox", 64, 128, 4, 2, 64, mels=80)),
    ):
        eyes = write_eyes(tmp_path / f"{name}.gguf", recipe)
        with pytest.raises(EngineFailed) as raised:
            load(engine, model, eyes)
        assert raised.value.why in ("load_failed", "cannot_see", "corrupt"), name
        with pytest.raises(EngineFailed) as raised:
            engine.bench(8, 4, 1, cancel=CancelToken())
        assert raised.value.why == "no_model", "the model does not stay without its eyes"
    assert not load(engine, model, None).can_see
    assert ask(engine, look())[0]


def test_a_projector_needs_its_clearance_and_a_sound_header(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    eyes = write_eyes(tmp_path / "mmproj.gguf")
    file = model_file(str(model), model.stat().st_size)
    seeing = replace(model_file(str(eyes), eyes.stat().st_size), sha256="6" * 64)
    order = replace(load_order(file, plan=Plan(1024)), projector=seeing)
    with pytest.raises(ClearanceRefused):
        engine.load(clearance_for(file), order, CancelToken())
    eyes.write_bytes(eyes.read_bytes()[:-4000])
    cut = replace(seeing, size_bytes=eyes.stat().st_size)
    with pytest.raises(CorruptModel):
        engine.load(clearance_for(file, cut), replace(order, projector=cut), CancelToken())


# --- M-RoPE: a picture takes more of the context than it takes positions --------------------------


@pytest.fixture
def turning(tmp_path: Path) -> Path:
    path = tmp_path / "turning.gguf"
    write_mrope_model(path)
    return path


WIDE = picture("green", (300, 200))
MROPE = pytest.mark.parametrize("recipe", [QWEN2, QWEN25], ids=["qwen2vl", "qwen2.5vl"])


@MROPE
def test_what_is_told_of_a_prompt_is_what_the_context_holds(
    engine: Engine, turning: Path, tmp_path: Path, recipe: ProjectorRecipe
) -> None:
    load(engine, turning, write_eyes(tmp_path / "mmproj.gguf", recipe))
    red, done = ask(engine, look(RED))
    wide, wide_done = ask(engine, look(WIDE))
    assert red != wide
    for message, told in ((look(RED), done), (look(WIDE), wide_done)):
        assert told.prompt_tokens == engine.count_tokens([message], CancelToken())
    assert wide_done.prompt_tokens > done.prompt_tokens + 40, "11 × 7 tokens, and 11 positions"
    seen: list[Progress] = []
    engine.chat([look(RED, WIDE)], GREEDY, CancelToken(), lambda *_: None, seen.append)
    assert seen[-1].done == seen[-1].total == engine.count_tokens([look(RED, WIDE)], CancelToken())


@MROPE
def test_turns_after_a_picture_are_read_where_they_belong(
    engine: Engine, turning: Path, tmp_path: Path, recipe: ProjectorRecipe
) -> None:
    """The same answers as from an empty context: after a picture, after an edit, after turns that
    were left out, after a stop within the answer."""
    eyes = write_eyes(tmp_path / "mmproj.gguf", recipe)
    load(engine, turning, eyes)
    first, _ = ask(engine, look(WIDE))
    second = [look(WIDE), ChatMessage("assistant", first), look(RED, text="more")]
    said, _ = ask(engine, *second)
    third = [*second, ChatMessage("assistant", said), look(text="and")]
    chats = (
        third,
        [*second[:2], look(BLUE, text="other")],
        [*second[:2], look(text="no picture")],
        third[2:],
        [look(WIDE, text="edited")],
        third,
    )
    held = [ask(engine, *messages) for messages in chats]
    assert held[0][1].cached_tokens >= held[0][1].prompt_tokens - 40, "the pictures are not read"
    assert held[1][1].cached_tokens > 80, "the first picture is kept"
    assert 0 < held[3][1].cached_tokens < 20, "the beginning is another one"
    for messages, (text, told) in zip(chats, held, strict=True):
        load(engine, turning, eyes)
        fresh, anew = ask(engine, *messages)
        assert anew.cached_tokens == 0
        assert (fresh, anew.prompt_tokens) == (text, told.prompt_tokens)


def test_an_answer_ends_where_the_context_is_full_of_pictures(
    engine: Engine, turning: Path, tmp_path: Path
) -> None:
    eyes = write_eyes(tmp_path / "mmproj.gguf", QWEN2)
    load(engine, turning, eyes, context=256)
    parts: list[str] = []
    long = replace(GREEDY, max_tokens=1000)
    done = engine.chat([look(WIDE, WIDE)], long, CancelToken(), lambda text, _: parts.append(text))
    assert done.finish_reason == "length"
    assert done.prompt_tokens + done.completion_tokens == 256
    with pytest.raises(ContextFull) as raised:
        ask(engine, look(WIDE, WIDE, WIDE))
    assert raised.value.needed_tokens > raised.value.context_length == 256
    text = "".join(parts)[:20]
    with pytest.raises(ContextFull) as raised:
        ask(engine, look(WIDE, WIDE), ChatMessage("assistant", text), look(WIDE))
    assert raised.value.needed_tokens > 256, "said before it is read"
    assert ask(engine, look(RED))[1].finish_reason == "length"


def test_a_stop_within_a_picture_leaves_a_context_that_can_be_used(
    engine: Engine, turning: Path, tmp_path: Path
) -> None:
    eyes = write_eyes(tmp_path / "mmproj.gguf", QWEN2)
    load(engine, turning, eyes)
    cancel = CancelToken()

    def stop(progress: Progress) -> None:
        cancel.cancel()

    done = engine.chat([look(WIDE, RED, BLUE)], GREEDY, cancel, lambda *_: None, stop)
    assert done.finish_reason == "cancelled"
    after, told = ask(engine, look(WIDE, RED))
    load(engine, turning, eyes)
    fresh, anew = ask(engine, look(WIDE, RED))
    assert (after, told.prompt_tokens) == (fresh, anew.prompt_tokens)
