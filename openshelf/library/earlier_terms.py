"""The terms that were accepted for a repository before, held against those of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from openshelf.hub.entries import DownloadFile
from openshelf.library.install import LOCAL
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.changes import TermsChange, compare_terms
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.lineage import mark_changed
from openshelf.licenses.log_queries import Record, files_of, table_of

CHANGED = "license_changed"
_DAY = 10


def with_earlier_terms(
    license: EffectiveLicense, log: AcceptanceLog, files: Sequence[DownloadFile]
) -> tuple[EffectiveLicense, TermsChange | None]:
    """`license`, with the flag license_changed where other terms were accepted, and the change.

    What counts is the newest acceptance of these files, else of their repository: terms of a base
    model may change under the same commit. Of a file on disk only its own acceptance counts, and
    only texts that were read both times, since what its header names may be out of reach today.
    The change is None where nothing was accepted before, or nothing is another now.
    """
    repo = files[0].repo
    is_local = repo == LOCAL
    earlier = log.earlier(repo)
    own = [record for record in earlier if _names_one_of(record, files, by_hash=is_local)]
    record = next(iter(own if own or is_local else earlier), None)
    if record is None:
        return license, None
    before = terms_of_record(record)
    ids = license.effective if is_local else before.effective
    texts = [text.sha256 for text in before.texts if text.kind == "license"]
    marked = mark_changed(license, ids, texts)
    if is_local:
        before = replace(before, effective=license.effective, expression=license.expression)
    change = compare_terms(before, marked, log.texts.read)
    if change.is_changed and marked == license:
        marked = replace(license, flags=(*license.flags, CHANGED))
        change = replace(change, after=marked)
    if marked == license:
        return license, None
    at, record_id = (str(record.get(key) or "") for key in ("at", "record_id"))
    return marked, replace(change, accepted_on=at[:_DAY], accepted_in=record_id)


def terms_of_record(record: Record) -> EffectiveLicense:
    """What an acceptance says was accepted; what somebody wrote there by hand counts for nothing
    where it has another shape."""
    effective = table_of(record, "effective")
    texts = record.get("texts")
    entries = texts if isinstance(texts, list) else []
    return EffectiveLicense(
        effective=_strings(effective.get("ids")),
        expression=str(effective.get("expression") or ""),
        flags=_strings(effective.get("flags")),
        lineage=(),
        texts=tuple(_text_of(entry) for entry in entries if isinstance(entry, Mapping)),
    )


def _text_of(entry: Mapping[str, Any]) -> LicenseText:
    size = entry.get("bytes")
    return LicenseText(
        license=str(entry.get("license") or ""),
        url=str(entry.get("url") or ""),
        sha256=str(entry.get("sha256") or ""),
        bytes=size if isinstance(size, int) else 0,
        kind=str(entry.get("kind") or "license"),
        repo=str(entry.get("repo") or ""),
    )


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(entry) for entry in value) if isinstance(value, list) else ()


def _names_one_of(record: Record, files: Sequence[DownloadFile], *, by_hash: bool) -> bool:
    key = "sha256" if by_hash else "path"
    wanted = {getattr(file, key) for file in files}
    return any(entry.get(key) in wanted for entry in files_of(record) if _is_plain(entry.get(key)))


def _is_plain(value: object) -> bool:
    return isinstance(value, str)
