"""Sentences of the files that are written beside an exported model."""

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
    "notice_text_missing": "{license}: the text is not at hand; get it from {url} and put it beside this file",
    "notice_text_nowhere": "{license}: no text is known; ask whoever published the model",
    "notice_upstream": "Where a repository above carries a NOTICE file of its own, pass that on as well.",
    "notice_note": "Written by Openshelf {version} from its summary of the licenses; the license texts prevail; not legal advice.",
}
