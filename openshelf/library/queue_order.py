"""The order in which downloads take their turn, and how a person changes it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

_APART = 0.001


class Move(enum.StrEnum):
    """Where a download goes in the list. NEXT is before all that do not run yet."""

    NEXT = "next"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Turn:
    """One download's place; the smallest `order` comes first."""

    id: str
    order: float
    is_running: bool = False


def moved(turns: Sequence[Turn], download_id: str, move: Move) -> dict[str, float]:
    """The orders that change; empty where it cannot go further, or is not in the list."""
    line = sorted(turns, key=lambda turn: (turn.order, turn.id))
    at = next((at for at, turn in enumerate(line) if turn.id == download_id), None)
    if at is None:
        return {}
    orders: list[float] = []
    for turn in line:
        orders.append(max(turn.order, orders[-1] + _APART) if orders else turn.order)
    turn = line.pop(at)
    line.insert(_target(line, at, move), turn)
    old = {turn.id: turn.order for turn in turns}
    fresh = {turn.id: order for turn, order in zip(line, orders, strict=True)}
    return {name: order for name, order in fresh.items() if order != old[name]}


def _target(others: Sequence[Turn], at: int, move: Move) -> int:
    if move is Move.UP:
        return max(0, at - 1)
    if move is Move.DOWN:
        return min(len(others), at + 1)
    waiting = (place for place, turn in enumerate(others) if not turn.is_running)
    return min(at, next(waiting, at))
