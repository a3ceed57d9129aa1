"""The NOTICE and LICENSE files that go beside a model wherever it is passed on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from openshelf import __version__, wording
from openshelf.library.installed import InstalledModel
from openshelf.licenses.ancestry import BASE
from openshelf.licenses.claims import NOTICE_TEXT
from openshelf.licenses.effective import LicenseText
from openshelf.licenses.license import License
from openshelf.policy.verdict import AppliedObligation, Decision
from openshelf.reasons import Reason

NOTICE = "NOTICE"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 120
_PASSING_ON = ("redistribute", "redistribute_commercial", "distribute_product")
_LINES = ("notice_file", "attribution", "retain_notices", "include_license_copy")
"""Duties whose exact wording belongs into the file; that of others is shown somewhere."""

ReadText = Callable[[str], str | None]
"""SHA-256 → the text, None where it is not at hand."""


@dataclass(frozen=True)
class NoticeFiles:
    """Relative name → content; `missing` are the licenses whose text is not at hand."""

    files: Mapping[str, str]
    missing: tuple[str, ...]


def notice_files(
    model: InstalledModel, decision: Decision, licenses: Mapping[str, License], read: ReadText
) -> NoticeFiles:
    """NOTICE, and one LICENSE file per license whose text is at hand. Pure."""
    files: dict[str, str] = {}
    rows: list[str] = []
    missing: list[str] = []
    ids = decision.license.effective
    for text in decision.license.texts:
        content = text.text or (read(text.sha256) if text.sha256 else None)
        if content is None:
            rows.append(_missing_row(text))
            missing.append(
                f"{text.license}:{text.kind}" if text.kind != "license" else text.license
            )
            continue
        name = _free_name(_file_name(text, ids), files)
        files[name] = content
        if text.kind == NOTICE_TEXT:
            rows.append(_say("notice_of_publisher", repo=text.repo, file=name, sha256=text.sha256))
            continue
        facts = {"license": _name_of(text.license, licenses), "file": name, "sha256": text.sha256}
        rows.append(_say("notice_text_at", **facts))
    files[NOTICE] = _notice(model, decision, licenses, rows)
    return NoticeFiles(files, tuple(missing))


def _file_name(text: LicenseText, ids: tuple[str, ...]) -> str:
    """What a bundle from elsewhere calls a license or a repository is a stranger's word."""
    of = _UNSAFE.sub("--", text.repo if text.kind == NOTICE_TEXT else text.license)[:_LONGEST]
    if text.kind == NOTICE_TEXT:
        return f"NOTICE-{of}.txt"
    if text.kind != "license":
        return f"USE_POLICY-{of}.txt"
    return "LICENSE" if len(ids) == 1 else f"LICENSE-{of}.txt"


def _free_name(name: str, taken: Mapping[str, str]) -> str:
    names = {known.casefold() for known in taken}
    stem, number = name.removesuffix(".txt"), 2
    while name.casefold() in names:
        name, number = f"{stem}-{number}.txt", number + 1
    return name


def _missing_row(text: LicenseText) -> str:
    code = "notice_text_missing" if text.url else "notice_text_nowhere"
    return _say(code, license=text.license, url=text.url)


def _notice(
    model: InstalledModel, decision: Decision, licenses: Mapping[str, License], texts: list[str]
) -> str:
    duties = _passed_on(decision)
    lines = [duty for duty in duties if duty.exact and duty.id in _LINES]
    shown = [duty for duty in duties if duty.exact and duty.id not in _LINES]
    parts = [
        _say("notice_head", name=model.name),
        _say("notice_origin", repo=model.repo, commit=model.commit),
        # As it stands, on lines of its own: some licenses ask for exactly these words.
        *_unique(duty.exact for duty in lines),
        _section("notice_show", _unique(f"“{d.exact}” ({_clause(d, licenses)})" for d in shown)),
        _section("notice_owed", _unique(f"{d.text} ({_clause(d, licenses)})" for d in duties)),
        _section("notice_texts", texts),
        _section("notice_lineage", [
            f"{node.repo}{f' at {node.commit}' if node.commit else ''}: "
            f"{wording.template(f'relation_{node.relation}')}, {node.license}"
            for node in decision.license.lineage
        ]),
        _section("notice_files", [f"{f.path}, SHA-256 {f.sha256}" for f in model.files]),
        wording.template("notice_upstream"),
        _say("notice_note", version=__version__),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _passed_on(decision: Decision) -> list[AppliedObligation]:
    """What bites whoever passes the files on; those that somebody changed are a derivative."""
    lineage = decision.license.lineage
    changed = bool(lineage) and lineage[0].relation != BASE
    triggers = {*_PASSING_ON, *(("distribute_derivative",) if changed else ())}
    return [duty for duty in decision.obligations if set(duty.trigger) & triggers]


def _clause(duty: AppliedObligation, licenses: Mapping[str, License]) -> str:
    return f"{_name_of(duty.license, licenses)} {duty.ref}".strip()


def _name_of(license_id: str, licenses: Mapping[str, License]) -> str:
    return licenses[license_id].name if license_id in licenses else license_id


def _section(code: str, rows: Iterable[str]) -> str:
    listed = [f"- {row}" for row in rows]
    return "\n".join([f"{wording.template(code)}:", *listed]) if listed else ""


def _unique(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def _say(code: str, **facts: str) -> str:
    return wording.sentence(Reason(code, facts))
