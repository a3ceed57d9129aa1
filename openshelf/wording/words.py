"""Sentences for BadWords (errors.py): words of a command and contents of fields that cannot be."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "BadWords": "{name} cannot be used here.",
    # cli
    "BadWords.empty": "{name} is empty: write what it should be, or leave it out.",
    "BadWords.stray": "{name} does nothing here; it belongs to {known:list}.",
    "BadWords.license_needs": "license needs a TARGET or --case FILE.",
    "BadWords.no_key": "No key came on stdin. Leave --key out to keep the server without one.",
}
