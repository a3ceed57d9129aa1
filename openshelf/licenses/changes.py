"""What changed between the terms that were accepted and those of a newer commit."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openshelf.licenses.effective import EffectiveLicense, LicenseText

_LONGEST_LINES = 4000
"""A text with more lines is a stranger's joke: its hashes are compared and nothing else."""
_LONGEST_LINE = 2000
_CONTEXT_LINES = 2

ReadText = Callable[[str], str | None]
"""SHA-256 → the text, None where it is not at hand."""


@dataclass(frozen=True)
class TextChange:
    """One text before and after; a hash is "" where it was not read. `diff` are lines of a unified
    diff, empty where one of the two is not at hand."""

    license: str
    kind: str
    before: str
    after: str
    url: str
    diff: tuple[str, ...] = ()

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
        """Whether other licenses apply, or one of their texts is another one."""
        return bool(self.added or self.removed) or any(text.is_changed for text in self.texts)

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
            "texts": [
                {
                    "license": text.license,
                    "kind": text.kind,
                    "url": text.url,
                    "before_sha256": text.before,
                    "after_sha256": text.after,
                    "changed": text.is_changed,
                    "diff": list(text.diff),
                }
                for text in self.texts
            ],
        }  # fmt: skip


def compare_terms(before: EffectiveLicense, after: EffectiveLicense, read: ReadText) -> TermsChange:
    """Pure but for `read`, which gives the texts that were kept at the acceptance."""
    old = {(text.license, text.kind): text for text in before.texts}
    new = {(text.license, text.kind): text for text in after.texts}
    return TermsChange(
        before,
        after,
        tuple(_compare(old.get(key), new.get(key), read) for key in dict.fromkeys((*old, *new))),
    )


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
    return TextChange(
        shown.license, shown.kind, before, after, shown.url, _diff(was, now)
    )  # fmt: skip


def _text_of(text: LicenseText | None, read: ReadText) -> str | None:
    if text is None:
        return None
    return text.text if text.text is not None else read(text.sha256)


def _diff(was: str, now: str) -> tuple[str, ...]:
    old, new = was.splitlines(), now.splitlines()
    if max(len(old), len(new)) > _LONGEST_LINES:
        return ()
    lines = difflib.unified_diff(old, new, "accepted", "now", lineterm="", n=_CONTEXT_LINES)
    return tuple(line[:_LONGEST_LINE] for line in lines)


def _beyond(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(entry for entry in some if entry not in others)
