"""Sentences for shelf."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
