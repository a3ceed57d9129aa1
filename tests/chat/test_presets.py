"""Named settings and prompts, and what a conversation was last asked with."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.chat.presets import (
    Preset,
    PresetKind,
    sampling_as_json,
    sampling_from_json,
)
from openshelf.chat.store import ConversationStore
from openshelf.engine.asking import AnswerForm, Sampling
from openshelf.errors import NotFound, UsageError

EXACT = Sampling(
    temperature=0.1, top_k=5, seed=7, stop=("END",), form=AnswerForm(True, "high", "{}")
)


def test_presets_stay_and_go(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "c.sqlite3")
    store.presets.keep(Preset(PresetKind.SAMPLING, "Exact", sampling=EXACT))
    store.presets.keep(Preset(PresetKind.PROMPT, " Contract\n reader ", prompt="Quote."))
    store.presets.keep(Preset(PresetKind.PROMPT, "Exact", prompt="Be exact."))
    store.close()
    presets = ConversationStore(tmp_path / "c.sqlite3").presets
    assert [(p.kind, p.name) for p in presets.all()] == [
        (PresetKind.PROMPT, "Contract reader"),
        (PresetKind.PROMPT, "Exact"),
        (PresetKind.SAMPLING, "Exact"),
    ]
    assert presets.find(PresetKind.SAMPLING, "exact").sampling == EXACT
    assert presets.find(PresetKind.PROMPT, "contract reader").prompt == "Quote."
    presets.keep(Preset(PresetKind.PROMPT, "Exact", prompt="Be more exact."))
    assert presets.find(PresetKind.PROMPT, "Exact").prompt == "Be more exact."
    presets.delete(PresetKind.PROMPT, "Exact")
    with pytest.raises(NotFound):
        presets.find(PresetKind.PROMPT, "Exact")
    with pytest.raises(NotFound):
        presets.delete(PresetKind.PROMPT, "Exact")
    assert presets.find(PresetKind.SAMPLING, "Exact").sampling == EXACT


def test_a_preset_needs_a_name(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "c.sqlite3")
    with pytest.raises(UsageError):
        store.presets.keep(Preset(PresetKind.PROMPT, " \n ", prompt="x"))


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"temperature": "hot"}', '{"stop": 3}'])
def test_settings_that_cannot_be_read_are_none(text: str | None) -> None:
    assert sampling_from_json(text) is None


def test_settings_of_a_later_version_keep_what_is_known() -> None:
    later = sampling_as_json(EXACT)[:-1] + ', "later": 1}'
    assert sampling_from_json(later) == EXACT


def test_a_conversation_keeps_what_it_was_asked_with(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "c.sqlite3")
    conversation = store.new_conversation("m")
    assert conversation.sampling is None
    store.set_asked(conversation.id, "other", EXACT)
    store.close()
    (kept,) = ConversationStore(tmp_path / "c.sqlite3").conversations()
    assert (kept.model_id, kept.sampling) == ("other", EXACT)
