"""Sentences for fit."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {}
