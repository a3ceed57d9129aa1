"""What is at hand for the answers to a team's questions, and what one answer is.

`says` are codes of wording/answers.py with their figures, never sentences.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.library.install import InstallOffer
from openshelf.licenses.license import License
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.builds import Build, ModelListing

UNKNOWN = Reason("answer_unknown")


class Mark(enum.StrEnum):
    """How sure an answer is. `unverified`: nobody checked the fact yet; `expected`: reckoned."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    EXPECTED = "expected"
    JUDGEMENT = "judgement"


@dataclass(frozen=True)
class Answer:
    """`topic` is the part of the question; `source` is None only where nothing is known."""

    topic: str
    says: tuple[Reason, ...]
    source: Reason | None
    mark: Mark = Mark.KNOWN

    def as_json(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "says": [reason.as_json() for reason in self.says],
            "source": self.source.as_json() if self.source else None,
            "mark": self.mark.value,
        }


@dataclass(frozen=True)
class Evidence:
    """Everything that is at hand for the answers.

    `build` and `fit` are the chosen variant and what it takes on `machine`. `offer` is what the
    installer found for it; without one `decision` is the catalog's word. `today` is an ISO date.
    """

    listing: ModelListing
    licenses: Mapping[str, License]
    today: str
    build: Build | None = None
    fit: Fit | None = None
    machine: Machine | None = None
    decision: Decision | None = None
    offer: InstallOffer | None = None

    @property
    def entries(self) -> tuple[License, ...]:
        """The licenses that apply and whose facts are known."""
        effective = self.decision.license.effective if self.decision is not None else ()
        found = (self.licenses[id_] for id_ in effective if id_ in self.licenses)
        return tuple(e for e in found if e.license_class not in ("unknown", "none"))

    @property
    def knows_all_licenses(self) -> bool:
        effective = self.decision.license.effective if self.decision is not None else ()
        return bool(effective) and len(self.entries) == len(effective)


def unknown(topic: str, *says: Reason) -> Answer:
    """Nothing is known of `topic`; `says` may tell why."""
    return Answer(topic, says or (UNKNOWN,), None, Mark.UNKNOWN)
