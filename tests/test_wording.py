"""Sentences: every error has one, every field shows, nothing raises."""

from __future__ import annotations

import string

import pytest

from openshelf import errors, wording
from openshelf.reasons import Reason

ERRORS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type)
    and issubclass(value, errors.OpenshelfError)
    and value is not errors.OpenshelfError
]
CLI_CODES = {
    "usage", "policy_blocked", "needs_review", "license_not_accepted", "gated", "not_found",
    "offline", "network", "rate_limited", "does_not_fit", "corrupt", "unsafe", "checksum",
    "unsupported_architecture", "engine_died", "out_of_memory", "not_enough_disk", "cancelled",
    "unexpected",
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_code_of_the_contract_and_a_sentence(kind: type) -> None:
    assert kind.code in CLI_CODES
    assert kind.__name__ in wording.TEMPLATES
    fields = {field for _, field, _, _ in string.Formatter().parse(
        wording.TEMPLATES[kind.__name__]) if field}  # fmt: skip
    assert fields <= kind().data().keys(), "a sentence names a field that the error lacks"


def test_every_template_can_be_filled_with_nothing() -> None:
    for code, template in wording.TEMPLATES.items():
        assert wording.fill(template, {}), code


def test_format_words() -> None:
    text = "{a:bytes} {a:gib} {c:tokens} {a:rate} {s:duration} {p:percent} {l:list} {n:.1f}"
    data = {"a": 7_300_000_000, "c": 8192, "s": 180, "p": 0.97, "l": ["a", "b", "c"], "n": 1.25}
    assert wording.fill(text, data) == "7.3 GB 6.8 GiB 8K 7.3 GB/s 3 min 97 % a, b and c 1.2"


def test_data_is_not_read_as_a_template() -> None:
    reason = errors.NotFound("model", "{what.__class__}")
    assert wording.error_sentence(reason) == "There is no model called {what.__class__}."


def test_unknown_codes_show_themselves() -> None:
    assert wording.sentence(Reason("brand_new_code")) == "brand new code"


def test_unexpected_errors_are_named_without_their_text() -> None:
    assert "ZeroDivisionError" in wording.error_sentence(ZeroDivisionError("secret"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.NotFound("id", "x"), "Nothing that is installed is called x"),
        (errors.NotFound("id", "x", ("x1", "x2")), "match x: x1 and x2"),
        (errors.NotFound("variant", "o/n:Q9", ("Q4_K_M",)), "The repository has Q4_K_M"),
        (errors.NotFound("conversation", "7"), "There is no conversation called 7"),
        (errors.NetworkFailure("hub", "timeout"), "did not answer in time"),
    ],
)
def test_the_closest_sentence_is_chosen(error: errors.OpenshelfError, words: str) -> None:
    assert words in wording.error_sentence(error)


def test_what_strangers_say_turns_nothing_around() -> None:
    said = wording.error_sentence(
        errors.CorruptModel("/m/\u202egpj.gguf", "magic", "\x1b[31mx\x07")
    )
    assert "\u202e" not in said
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "/m/\ufffdgpj.gguf" in said
    joined = wording.error_sentence(errors.NotFound("file", "\u0645\u06cc\u200c\u062e"))
    assert "\u200c" in joined
