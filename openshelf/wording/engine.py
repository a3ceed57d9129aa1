"""Sentences for engine."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
