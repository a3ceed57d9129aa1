"""Sentences of the files beside an exported model, and of updates."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "notice_head": "NOTICE for {name}",
    "notice_origin": "Files of {repo}, commit {commit}.",
    "notice_show": "To be shown by whoever offers or ships the model, where the clause says so",
    "notice_owed": "What the licenses ask of whoever passes the model on",
    "notice_lineage": "Made from",
    "notice_files": "Files",
    "notice_texts": "License texts",
    "notice_text_at": "{license}: {file}, SHA-256 {sha256}",
    "notice_of_publisher": "NOTICE of {repo}: {file}, SHA-256 {sha256}",
    "notice_text_missing": "{license}: the text is not at hand; get it from {url} and put it beside this file",
    "notice_text_nowhere": "{license}: no text is known; ask whoever published the model",
    "notice_upstream": "Where a repository above carries a NOTICE file of its own, pass that on as well.",
    "notice_note": "Written by Openshelf {version} from its summary of the licenses; the license texts prevail; not legal advice.",
    # waivers in the window
    "sheet_looking_up": "Looking up files and licenses…",
    "waiver_managed": "This machine’s policy is managed: nothing here loosens it.",
    # licenses/changes.py
    "terms_changed": "The terms are not the ones that were accepted.",
    "terms_changed_since": "The terms are not the ones that were accepted on {day}.",
    "text_changed_license": "The text of {license} changed ({url}):",
    "text_changed_use_policy": "The use policy of {license} changed ({url}):",
    "text_changed_notice": "The publisher’s NOTICE changed ({url}):",
    "text_not_compared": "The two texts cannot be held against each other: the old one is not at hand, or one of them is endless.",
    "text_same_words": "Only spaces and line ends are others; the words are the same.",
    "text_of_license": "The text of the {license}",
    "text_of_use_policy": "The use policy of the {license}",
    "text_of_notice": "The publisher’s NOTICE",
    # library/updates.py
    "update_current": "nothing new",
    "update_terms_changed": "the same files, but under other terms",
    "update_newer": "there is a newer commit",
    "update_gate_accepted": "What was accepted covers it.",
    "update_gate_ask": "Its terms have to be accepted first.",
    "update_gate_needs_review": "Your policy asks for a review first.",
    "update_gate_blocked": "Your policy or its license does not allow it.",
}
