"""Sentences for hardware."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
