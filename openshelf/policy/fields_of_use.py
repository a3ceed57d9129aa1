"""What an organization does with models, held against the uses that a license rules out.

Both sides are words of people; where they share one, somebody has to read the clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License
from openshelf.policy.findings import Findings
from openshelf.policy.verdict import PolicyReason

FACT = "fields_of_use"
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 4
_SAYS_NOTHING = frozenset(
    ("attachment", "list", "with", "without", "direct", "decisions", "services", "other", "using")
)


def check_fields(entry: License, findings: Findings) -> None:
    """A field that a license names as ruled out needs a person; which facts are unknown is not
    asked: nobody could list all that he does not do.
    """
    met = [
        field
        for field in findings.organization.fields_of_use or ()
        if any(_words(field) & _words(ruled_out) for ruled_out in entry.field_of_use)
    ]
    if not met:
        return
    clause = entry.fields_ref
    source = findings.source_of(f"organization.{FACT}")
    reason = PolicyReason(
        "field_of_use", entry.id, clause, fact=FACT, clause=clause, value=", ".join(met),
        source=source,
    )  # fmt: skip
    findings.add(Verdict.NEEDS_REVIEW, reason)


def _words(text: str) -> set[str]:
    return {_stem(word) for word in _long(_WORD.findall(text.casefold()))}


def _long(words: Iterable[str]) -> Iterable[str]:
    return (word for word in words if len(word) >= _SHORTEST and word not in _SAYS_NOTHING)


def _stem(word: str) -> str:
    return word.removesuffix("s")
