"""Whether a text is a short, well-known license and nothing beside it.

A sentence added to MIT or Apache makes another license of it, so the whole text has to match: its
pieces by hash over their words, and what stands around them must not read like terms.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from openshelf.licenses.license import TextPiece

_WORD = re.compile(r"[a-z0-9]+")
_MOST_WORDS_BESIDE = 120
"""Titles and copyright lines; a longer rest is something else."""
_TERMS = frozenset(
    {
        "academic", "addendum", "additional", "additionally", "agree", "agreement", "allowed",
        "although", "annex", "but", "cannot", "commercial", "commercially", "commons", "companies",
        "company", "condition", "conditions", "evaluation", "except", "excluding", "exclusively",
        "forbidden", "granted", "however", "if", "limited", "may", "military",
        "modification", "modified", "must", "no", "non", "noncommercial", "not", "only",
        "otherwise", "parties", "permission", "permitted", "policy", "prohibited",
        "prohibition", "provided", "purpose", "purposes", "require", "required", "research",
        "restrict", "restricted", "restriction", "restrictions", "revenue", "rider",
        "sell", "shall", "solely", "subject", "terms", "unless", "usage", "use", "used", "users",
        "without",
    }
)  # fmt: skip


def words_of(text: str) -> str:
    """Lower-case words of letters and digits, one space between them."""
    return " ".join(_WORD.findall(text.casefold()))


def is_whole(pieces: Sequence[TextPiece], text: str) -> bool:
    """Whether all needed pieces are there as they are known, and no other terms."""
    rest = words_of(text)
    for piece in pieces:
        found = _cut(piece, rest)
        if found is None and piece.is_needed:
            return False
        rest = rest if found is None else found
    beside = rest.split()
    return len(beside) <= _MOST_WORDS_BESIDE and not _TERMS.intersection(beside)


def _cut(piece: TextPiece, text: str) -> str | None:
    """`text` without the piece, None where it is not there as it is known."""
    first, last = words_of(piece.first), words_of(piece.last)
    start = text.find(first)
    end = text.find(last, start)
    if start < 0 or end < 0:
        return None
    end += len(last)
    body = text[start:end]
    if piece.sha256 and hashlib.sha256(body.encode()).hexdigest() not in piece.sha256:
        return None
    if piece.max_words is not None and body.count(" ") >= piece.max_words:
        return None
    return f"{text[:start]} {text[end:]}"
