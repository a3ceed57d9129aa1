"""Sentences for library: what was wrong with its file."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "library_set_aside": "The list of installed models was damaged and was put aside as {path}. The model files are still there; install them again, nothing is fetched twice.",
    "library_too_new": "The list of installed models was written by a newer version of Openshelf ({path}). It was left alone; nothing is kept until you start that version.",
    "library_not_kept": "The list of installed models cannot be written ({path}). Nothing is kept until that is mended.",
}
