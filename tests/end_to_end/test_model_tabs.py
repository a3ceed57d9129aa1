"""A model of the Hub that nobody reviewed, looked at by the whole team before a download."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from openshelf.tasks import CancelToken
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.places import Place
from tests.end_to_end.conftest import Person
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo

StartApp = Callable[[], Person]
HEADERS = Path(__file__).parents[1] / "data" / "headers"
HEADER = "llama3.2-1b"
PACKAGED, BASE = "ada/Story-1B-GGUF", "ada/Story-1B"
README = b"""---
license: other
---
# Story 1B

Tells <b>stories</b>. <img src="http://127.0.0.1:9/track.png" alt="A book">
"""
LICENSE_TEXT = b"""LLAMA 3.2 COMMUNITY LICENSE AGREEMENT
Llama 3.2 Version Release Date: September 25, 2024
"Llama Materials" means, collectively, Meta's proprietary Llama 3.2 and Documentation.
"""


def story_hub(folder: Path) -> LoopbackHub:
    """A packager who declares nothing, and a base under the Llama 3.2 license."""
    model = folder / "story.gguf"
    model.write_bytes((HEADERS / f"{HEADER}.gguf.header").read_bytes())
    sizes = json.loads((HEADERS / "index.json").read_text("utf-8"))
    os.truncate(model, sizes[HEADER]["file_bytes"])
    hub = LoopbackHub()
    packaged = FakeRepo(PACKAGED, card={"base_model": BASE, "base_model_relation": "quantized"})
    file = FakeFile("Story-1B-Q4_K_M.gguf", model, "1" * 64)
    packaged.commit([file, FakeFile("README.md", README)])
    base = FakeRepo(BASE, card={"license": "llama3.2"})
    base.commit([FakeFile("LICENSE.txt", LICENSE_TEXT)])
    hub.add(packaged)
    hub.add(base)
    return hub


def test_four_people_look_at_a_model_before_a_byte_of_it_is_fetched(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with story_hub(tmp_path) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        person = start_app()
        person.window.open_model(f"{PACKAGED}:Q4_K_M")
        page = person.window.page(Place.MODEL)
        assert isinstance(page, ModelPage)
        person.wait(lambda: person.sees("llama3.2", "not in the catalog"))

        person.click("Show: Obligations")
        person.wait(lambda: person.sees("Llama 3.2 Community License", "“Built with Llama”"))
        assert person.sees(
            "The packager declares no license; the base model’s applies.", PACKAGED, BASE
        )
        person.click("Show: Four questions")
        person.wait(lambda: person.sees("allowed under conditions", "who published the model too"))
        person.wait(lambda: person.sees("700 million", "Sanctions lists"))
        assert person.sees("compared with the SHA-256 that the Hub publishes (111111111111…)")

        person.click("Show: Model card")
        person.wait(lambda: bool(page.tabs.card.view.views))
        text = page.tabs.card.view.views[0].content.toPlainText()
        assert text == "Story 1B\nTells stories. [image: A book]"
        assert hub.sent_bytes < 1_000_000

    # The Hub is gone: what was read is still there.
    kept = person.services.read_card(PACKAGED, "", CancelToken())
    assert kept.is_kept
    assert kept.text.startswith("# Story 1B")
