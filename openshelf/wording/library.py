"""Sentences for library."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
