"""What a color can mean. Models say which; the style sheet knows how it looks."""

from __future__ import annotations

import enum


class ChipKind(enum.StrEnum):
    NEUTRAL = "neutral"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    ACCENT = "accent"
