"""Sentences for hub."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
