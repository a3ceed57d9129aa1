"""What changed between the terms that were accepted and those of a newer commit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openshelf.licenses.changed_words import mark_words
from openshelf.licenses.claims import NOTICE_TEXT
from openshelf.licenses.effective import EffectiveLicense, LicenseText

_LONGEST_LINES = 4000
"""A text with more lines is a stranger's joke: its hashes are compared and nothing else."""
_LONGEST_LINE = 2000
_CONTEXT_LINES = 2
_PARAGRAPH = 240
"""A longer line is a paragraph and is compared sentence by sentence."""
_SENTENCE_END = re.compile(r"(?<=[.;:]) +")

ReadText = Callable[[str], str | None]
"""SHA-256 → the text, None where it is not at hand."""


@dataclass(frozen=True)
class Passage:
    """Neighboring lines that are not the same, as they were and as they are; either may be empty.

    `line` counts from 1, in the text of now.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    line: int

    def as_json(self) -> dict[str, Any]:
        """With the words that are only on one side."""
        before, after = "\n".join(self.before), "\n".join(self.after)
        marked = mark_words(before, after)
        return {
            "line": self.line,
            "before": before,
            "after": after,
            "removed": list(marked.removed),
            "added": list(marked.added),
        }


@dataclass(frozen=True)
class TextChange:
    """One text before and after; a hash is "" where it was not read. `diff` are lines of a unified
    diff, empty where the two were not compared: one is not at hand, or it is endless.

    Compared and without passages, only white space is another one.
    """

    license: str
    kind: str
    before: str
    after: str
    url: str
    diff: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    is_compared: bool = False

    @property
    def is_changed(self) -> bool:
        """Only what was read on both occasions can be compared."""
        return bool(self.before and self.after) and self.before != self.after


@dataclass(frozen=True)
class TermsChange:
    """Two results of the resolver, held against each other; ids and flags in their order."""

    before: EffectiveLicense
    after: EffectiveLicense
    texts: tuple[TextChange, ...]
    accepted_on: str = ""
    """The day (UTC, ISO) on which `before` was accepted, "" where that is not known."""
    accepted_in: str = ""
    """The id of that record."""

    @property
    def changed_texts(self) -> tuple[TextChange, ...]:
        return tuple(text for text in self.texts if text.is_changed)

    @property
    def added(self) -> tuple[str, ...]:
        return _beyond(self.after.effective, self.before.effective)

    @property
    def removed(self) -> tuple[str, ...]:
        return _beyond(self.before.effective, self.after.effective)

    @property
    def flags_added(self) -> tuple[str, ...]:
        return _beyond(self.after.flags, self.before.flags)

    @property
    def is_changed(self) -> bool:
        """Whether other licenses apply, or one of their texts is another one; a NOTICE asks for
        nothing that has to be accepted."""
        terms = (text for text in self.changed_texts if text.kind != NOTICE_TEXT)
        return bool(self.added or self.removed) or any(terms)

    def as_json(self) -> dict[str, Any]:
        """Old and new side by side (docs/cli.md, `update`)."""
        return {
            "changed": self.is_changed,
            "before": {"effective": list(self.before.effective),
                       "expression": self.before.expression},
            "after": {"effective": list(self.after.effective),
                      "expression": self.after.expression},
            "added": list(self.added),
            "removed": list(self.removed),
            "flags_added": list(self.flags_added),
            "accepted_on": self.accepted_on or None,
            "texts": [
                {
                    "license": text.license,
                    "kind": text.kind,
                    "url": text.url,
                    "before_sha256": text.before,
                    "after_sha256": text.after,
                    "changed": text.is_changed,
                    "compared": text.is_compared,
                    "diff": list(text.diff),
                    "passages": [passage.as_json() for passage in text.passages],
                }
                for text in self.texts
            ],
        }  # fmt: skip


def compare_terms(before: EffectiveLicense, after: EffectiveLicense, read: ReadText) -> TermsChange:
    """Pure but for `read`, which gives the texts that were kept at the acceptance."""
    old = {_key_of(text): text for text in before.texts}
    new = {_key_of(text): text for text in after.texts}
    return TermsChange(
        before,
        after,
        tuple(_compare(old.get(key), new.get(key), read) for key in dict.fromkeys((*old, *new))),
    )


def _key_of(text: LicenseText) -> tuple[str, str]:
    """What a text is compared by: that of a license is one, wherever it was read; others are their
    repository's."""
    return (text.kind, text.license if text.kind == "license" else text.repo or text.license)


def _compare(old: LicenseText | None, new: LicenseText | None, read: ReadText) -> TextChange:
    shown = new or old
    assert shown is not None  # noqa: S101  # the key comes from one of the two
    before, after = (text.sha256 if text else "" for text in (old, new))
    change = TextChange(shown.license, shown.kind, before, after, shown.url)
    if not change.is_changed:
        return change
    was, now = _text_of(old, read), _text_of(new, read)
    if was is None or now is None:
        return change
    lines = _lines_of(was), _lines_of(now)
    if max(map(len, lines)) > _LONGEST_LINES:
        return change
    return replace(change, diff=_diff(*lines), passages=_passages(*lines), is_compared=True)


def _text_of(text: LicenseText | None, read: ReadText) -> str | None:
    if text is None:
        return None
    return text.text if text.text is not None else read(text.sha256)


def _lines_of(text: str) -> list[str]:
    """Lines to compare: paragraphs in sentences, nothing longer than a screen can show."""
    lines: list[str] = []
    for line in text.splitlines():
        parts = _SENTENCE_END.split(line) if len(line) > _PARAGRAPH else [line]
        for part in parts:
            cuts = range(0, len(part) or 1, _LONGEST_LINE)
            lines += [part[at : at + _LONGEST_LINE].rstrip() for at in cuts]
        if len(lines) > _LONGEST_LINES:
            break
    return lines


def _diff(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    lines = difflib.unified_diff(old, new, "accepted", "now", lineterm="", n=_CONTEXT_LINES)
    return tuple(lines)


def _passages(old: Sequence[str], new: Sequence[str]) -> tuple[Passage, ...]:
    """What differs besides empty lines."""
    matched = difflib.SequenceMatcher(None, old, new).get_opcodes()
    found = (
        Passage(_written(old[a:b]), _written(new[c:d]), c + 1)
        for tag, a, b, c, d in matched
        if tag != "equal"
    )
    return tuple(passage for passage in found if passage.before or passage.after)


def _written(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines if line.strip())


def _beyond(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(entry for entry in some if entry not in others)
