"""A reason is a code and its figures; wording.py makes the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """Why something is so (or what would change it), as data.

    `code` is a snake_case key of wording.py; `data` holds JSON values, bytes as integers.
    """

    code: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, **self.data}
