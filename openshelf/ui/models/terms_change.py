"""What changed since terms were accepted, ready to be shown side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.licenses.changed_words import Piece, mark_words
from openshelf.licenses.changes import Passage, TermsChange, TextChange
from openshelf.licenses.license import License
from openshelf.ui.models.plain_text import readable
from openshelf.ui.sentences import words

_MOST_LINES = 40
_MOST_CHARACTERS = 4000
"""Of one side of one passage."""


@dataclass(frozen=True)
class ShownPassage:
    """Either side may be empty: then the words are only in the other text."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]


@dataclass(frozen=True)
class ShownTextChange:
    """One text; `note` stands in place of passages where there are none."""

    title: str
    url: str
    passages: tuple[ShownPassage, ...]
    note: str = ""


@dataclass(frozen=True)
class ShownTermsChange:
    """`before` and `after` name the licenses, and are empty where those are the same."""

    title: str
    before: str
    after: str
    texts: tuple[ShownTextChange, ...]


def build_change(change: TermsChange, licenses: Mapping[str, License]) -> ShownTermsChange:
    """Plain text throughout: what stands in a license text is a stranger's."""
    names = [
        " + ".join(_name_of(id_, licenses) for id_ in side.effective)
        for side in (change.before, change.after)
    ]
    is_other = bool(change.added or change.removed)
    code = "terms_changed_since" if change.accepted_on else "terms_changed"
    return ShownTermsChange(
        title=words(code, day=change.accepted_on),
        before=names[0] if is_other else "",
        after=names[1] if is_other else "",
        texts=tuple(_text(text, licenses) for text in change.changed_texts),
    )


def _text(change: TextChange, licenses: Mapping[str, License]) -> ShownTextChange:
    name = _name_of(change.license, licenses)
    note = ""
    if not change.is_compared:
        note = words("text_not_compared")
    elif not change.passages:
        note = words("text_same_words")
    title = words(f"text_of_{change.kind}", license=name)
    passages = tuple(_passage(passage) for passage in change.passages)
    return ShownTextChange(title, change.url, passages, note)


def _passage(passage: Passage) -> ShownPassage:
    marked = mark_words(_side(passage.before), _side(passage.after))
    return ShownPassage(marked.before, marked.after)


def _side(lines: tuple[str, ...]) -> str:
    text = readable("\n".join(lines[:_MOST_LINES]))
    is_cut = len(lines) > _MOST_LINES or len(text) > _MOST_CHARACTERS
    return text[:_MOST_CHARACTERS] + (" …" if is_cut else "")


def _name_of(license_id: str, licenses: Mapping[str, License]) -> str:
    known = licenses.get(license_id)
    return known.name if known is not None else license_id
