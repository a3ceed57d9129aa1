"""A request for a review as a text that can be sent: what, under which terms, why, which facts.

It is written for whoever decides, needs no program to be read, and asks nobody anything by itself.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openshelf import wording
from openshelf.licenses.changed_words import marked_diff
from openshelf.licenses.changes import TermsChange
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.license import License
from openshelf.policy.checks import Check, checks_of
from openshelf.policy.organization import Policy
from openshelf.policy.records import stated_facts
from openshelf.policy.verdict import AppliedObligation, Decision, PolicyReason
from openshelf.reasons import Reason
from openshelf.units import format_bytes

_MOST_DIFF_LINES = 400


@dataclass(frozen=True)
class ReviewSubject:
    """What somebody would like to install, and who; `at` is an ISO time in UTC."""

    target: str
    repo: str
    commit: str
    files: tuple[ClearedFile, ...]
    asked_by: str
    at: str
    note: str = ""
    change: TermsChange | None = None
    """What is not as it was accepted before."""


def review_request(
    subject: ReviewSubject, decision: Decision, policy: Policy, licenses: Mapping[str, License]
) -> str:
    """The whole text, in English, lines ended by a line feed."""
    names = {id_: entry.name for id_, entry in licenses.items()}
    parts = [
        _head(subject, policy),
        _section("review_verdict", [_words(f"verdict_short_{decision.verdict.value}")]),
        _section("review_why", [line for c in checks_of(decision, policy, licenses)
                                for line in _check_lines(c, names)]),
        _section("review_changed", _change_lines(subject.change)),
        _section("review_licenses", _license_lines(decision, licenses)),
        _section("review_lineage", _lineage_lines(decision)),
        _section("review_duties", _duty_lines(decision.obligations, names)),
        _section("review_facts", _fact_lines(policy)),
        _section("review_missing", [_words(f"fact_{name}") for name in decision.facts_missing]),
        _section("review_files", _file_lines(subject.files)),
        _section("review_answer", _answer_lines(subject)),
        _section("review_notes", [_words("review_not_advice"), _words("verdict_not_assessed")]),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def reason_with_name(reason: PolicyReason, names: Mapping[str, str]) -> Reason:
    """The reason for wording.sentence(), with the license's name in place of its id."""
    data = reason.as_json()
    return Reason(reason.code, {**data, "license": names.get(reason.license, reason.license)})


def _head(subject: ReviewSubject, policy: Policy) -> str:
    lines = [
        _words("review_title", target=_plain(subject.target)),
        "",
        _words("review_asked", name=_plain(subject.asked_by) or "?", at=subject.at),
        _words("review_model", repo=_plain(subject.repo), commit=subject.commit),
    ]
    if policy.exists:
        name = _plain(policy.name or policy.source)
        lines.append(_words("review_policy", name=name, sha256=policy.sha256))
    if subject.note:
        lines.append(_words("review_note", note=_plain(subject.note)))
    return "\n".join(lines)


def _check_lines(check: Check, names: Mapping[str, str]) -> list[str]:
    chip = _words(f"verdict_short_{check.verdict.value}")
    lines = [f"{_words(f'check_{check.code}')}: {chip}"]
    return lines + [
        f"  {wording.sentence(reason_with_name(reason, names))}" for reason in check.reasons
    ]


def _change_lines(change: TermsChange | None) -> list[str]:
    """Old and new, so far as a person can be asked to read them here."""
    if change is None:
        return []
    lines = [
        _words("terms_changed_since", day=change.accepted_on),
        _words("review_before", expression=change.before.expression),
        _words("review_now", expression=change.after.expression),
    ]
    for text in change.changed_texts:
        lines.append(_words(f"text_changed_{text.kind}", license=text.license, url=text.url))
        if not text.is_compared:
            lines.append(f"  {_words('text_not_compared')}")
        lines += [f"  {_plain(line)}" for line in marked_diff(text.diff[:_MOST_DIFF_LINES])]
        left = len(text.diff) - _MOST_DIFF_LINES
        lines += [f"  … {left}"] if left > 0 else []
    return lines


def _license_lines(decision: Decision, licenses: Mapping[str, License]) -> list[str]:
    lines = [_words("review_expression", expression=decision.license.expression)]
    for id_ in decision.license.effective:
        entry = licenses.get(id_)
        lines.append(f"{entry.name if entry else id_} ({id_})")
        for text in decision.license.texts:
            if text.license == id_ and (text.url or text.sha256):
                state = text.sha256 and f"sha256 {text.sha256}"
                lines.append(f"  {text.url or '?'} {state or _words('text_not_read')}")
    return lines + [_words(flag) for flag in decision.license.flags]


def _lineage_lines(decision: Decision) -> list[str]:
    return [
        f"{_plain(node.repo)}{f' @ {node.commit[:8]}' if node.commit else ''}: "
        f"{_words(f'relation_{node.relation}')}, {node.license}"
        for node in decision.license.lineage
    ]


def _duty_lines(duties: Iterable[AppliedObligation], names: Mapping[str, str]) -> list[str]:
    answers = {True: "applies_yes", False: "applies_no", None: "applies_unknown"}
    lines = []
    for duty in duties:
        exact = f" “{duty.exact}”" if duty.exact else ""
        name = names.get(duty.license, duty.license)
        lines.append(f"{duty.text}{exact} ({name} {duty.ref}): {_words(answers[duty.applies])}")
    return lines


def _fact_lines(policy: Policy) -> list[str]:
    facts = stated_facts(policy.organization)
    return [f"{_words(f'fact_{name}')}: {_value(value)}" for name, value in facts.items()]


def _answer_lines(subject: ReviewSubject) -> list[str]:
    """What an approver writes; names of strangers are quoted as a shell and TOML want it."""
    return [
        _words("review_waive", target=shlex.quote(_plain(subject.target))),
        _words("review_waive_file", repo=json.dumps(_plain(subject.repo), ensure_ascii=False)),
    ]


def _file_lines(files: Iterable[ClearedFile]) -> list[str]:
    return [
        f"{_plain(file.path)}, {format_bytes(file.size_bytes)}, sha256 {file.sha256}"
        for file in files
    ]


def _section(title: str, lines: Iterable[str]) -> str:
    shown = [f"- {line}" if not line.startswith("  ") else line for line in lines]
    return "\n".join([_words(title), *shown]) if shown else ""


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, int) else _plain(str(value))


def _words(code: str, **data: object) -> str:
    return wording.fill(wording.template(code), data)


def _plain(text: str) -> str:
    """One line, whatever a name from the Hub holds."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def is_possible(decision: Decision, policy: Policy) -> bool:
    """Whether a review could let this through: under a policy, and not blocked."""
    return policy.exists and decision.verdict is Verdict.NEEDS_REVIEW
