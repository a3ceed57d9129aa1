"""Sentences for library: what was wrong with its file, what a verification found."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "verified_intact": "every file is as it was installed",
    "verified_damaged": "DAMAGED, and not loaded any more",
    "verified_missing": "a file is missing",
    "verified_unreadable": "a file cannot be read",
    "file_damaged": "its SHA-256 is not the one it was installed with",
    "file_missing": "not there",
    "file_unreadable": "cannot be read",
    "placed_reference": "stays where it is",
    "placed_hard_link": "has a second name in the model folder, and takes no room twice",
    "placed_copy": "was copied to the model folder",
    "folder_here": "here",
    "folder_same": "the same folder",
    "folder_missing": "NOT HERE",
    "folder_unmade": "made when first needed",
    "folder_not_a_folder": "NO FOLDER",
    "folder_unreadable": "NOT READABLE",
    "folder_silent": "DOES NOT ANSWER",
    "folder_for_downloads": "downloads go here",
    "folder_read_only": "cannot be written",
    "scan_summary": "{files} files: {unchanged} as they were, {away} in folders that are not here, {missing} missing.",
    "scan_found": "{id} was found again: {path}",
    "scan_intact": "{id} was changed on disk and is intact",
    "scan_damaged": "{id} is DAMAGED, and not loaded any more",
    "scan_stranger": "Not in the library: {path} (openshelf import brings it in)",
    "lies_twice": "The same bytes lie more than once ({size} to spare): {places}",
    "library_set_aside": "The list of installed models was damaged and was put aside as {path}. The model files are still there; install them again, nothing is fetched twice.",
    "library_too_new": "The list of installed models was written by a newer version of Openshelf ({path}). It was left alone; nothing is kept until you start that version.",
    "library_not_kept": "The list of installed models cannot be written ({path}). Nothing is kept until that is mended.",
}
