"""Sentences for licenses."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
