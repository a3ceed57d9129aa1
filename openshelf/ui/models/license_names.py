"""Licenses by the names that people know, not by the ids that machines compare."""

from __future__ import annotations

from collections.abc import Sequence

from openshelf.licenses.facts import load_licenses

_MOST_CHARACTERS = 120


def license_names(ids: Sequence[str], expression: str) -> str:
    """On one line; an id that is not known stands for itself, `expression` where there is none."""
    known = load_licenses()
    names = [known[name].name if name in known else name for name in ids]
    return " ".join((" + ".join(names) or expression).split())[:_MOST_CHARACTERS]
