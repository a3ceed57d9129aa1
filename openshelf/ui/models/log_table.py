"""The acceptance log as a table: one row per record, newest first, and what a record says."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, Qt
from typing_extensions import override

from openshelf.licenses.chain import VerifyReport
from openshelf.licenses.log_queries import Person, in_force, people_in
from openshelf.policy.log_export import matches, record_row, records_of
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report
from openshelf.ui.models.chat_facts import short_day
from openshelf.ui.models.model_words import plain
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.sentences import words

Record = Mapping[str, Any]


def _tr(text: str) -> str:
    return QCoreApplication.translate("LogTable", text)


@dataclass(frozen=True)
class LogFacts:
    """All records, oldest first, and whether the chain is whole; `held` are the ids of those that
    can be taken back, `people` everyone whose name is kept."""

    records: tuple[Record, ...]
    report: VerifyReport
    held: frozenset[str] = frozenset()
    people: tuple[Person, ...] = ()


def read_log(services: Services) -> Callable[[CancelToken, Report], LogFacts]:
    def work(cancel: CancelToken, report: Report) -> LogFacts:
        log = services.acceptances
        records = log.records()
        standing = (*in_force(records), *in_force(records, waivers=True))
        held = frozenset(str(record.get("record_id")) for record in standing)
        return LogFacts(records, log.verify(), held, people_in(records))

    return work


def chosen_records(records: Sequence[Record], text: str, person: str) -> tuple[Record, ...]:
    """What a search and a person leave, in the order of the log."""
    found = records_of(records, person) if person else tuple(records)
    return tuple(record for record in found if matches(record, text))


class LogColumn(enum.IntEnum):
    WHEN = 0
    WHO = 1
    MODEL = 2
    LICENSES = 3
    VERDICT = 4


class LogTableModel(QAbstractTableModel):
    """Rows are replaced as a whole: a log changes by one record at a time, and rarely."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Record] = []

    @property
    def rows(self) -> tuple[Record, ...]:
        return tuple(self._rows)

    def set_records(self, records: Sequence[Record]) -> None:
        """Newest first, unless it is what is shown already."""
        rows = list(reversed(records))
        if rows != self._rows:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(LogColumn)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        record, column = self._rows[index.row()], LogColumn(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(record, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = (cell_text(record, part) for part in LogColumn)
            return ", ".join(part for part in parts if part)
        return record if role == ROW_ROLE else None

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        is_ours = orientation is Qt.Orientation.Horizontal and 0 <= section < len(LogColumn)
        if not is_ours or role != Qt.ItemDataRole.DisplayRole:
            return None
        return {
            LogColumn.WHEN: _tr("When"),
            LogColumn.WHO: _tr("Who"),
            LogColumn.MODEL: _tr("Model"),
            LogColumn.LICENSES: _tr("Licenses"),
            LogColumn.VERDICT: _tr("Verdict"),
        }[LogColumn(section)]


def cell_text(record: Record, column: LogColumn) -> str:
    row = record_row(record)
    match column:
        case LogColumn.WHEN:
            return short_day(row["at"]) or plain(row["at"])
        case LogColumn.WHO:
            return plain(row["by"])
        case LogColumn.MODEL:
            return plain(row["repo"])
        case LogColumn.LICENSES:
            return plain(row["licenses"])
        case LogColumn.VERDICT:
            return verdict_text(row)


def verdict_text(row: Mapping[str, str]) -> str:
    """The verdict of that day; for any other record than an acceptance what it is."""
    kinds = {
        "revoked": _tr("taken back"),
        "waiver": _tr("waiver"),
        "names_erased": _tr("names erased"),
    }
    if row["kind"] != "acceptance":
        return kinds.get(row["kind"], plain(row["kind"]))
    known = {
        "allowed": _tr("allowed"),
        "allowed_with_obligations": _tr("with obligations"),
        "needs_review": _tr("needs review"),
        "blocked": _tr("blocked"),
    }
    if row["unreviewed"]:
        return _tr("not reviewed")
    return known.get(row["verdict"], plain(row["verdict"]))


def record_details(record: Record) -> list[tuple[str, str]]:
    """(name, value) of what a record says, in the order in which people ask."""
    row = record_row(record)
    details = [
        (_tr("Written"), row["at"]),
        (_tr("By"), _person(row)),
        (_tr("On behalf of"), row["on_behalf_of"]),
        (_tr("Note"), row["note"]),
        (_tr("Model"), row["repo"]),
        (_tr("Commit"), row["commit"]),
        (_tr("Files"), _files(record)),
        (_tr("Licenses"), _inner(record, "effective", "expression") or row["licenses"]),
        (_tr("Verdict"), verdict_text(row)),
        (_tr("Reasons"), _reasons(record)),
        (_tr("Waived until"), _inner(record, "waiver", "until")),
        (_tr("Waived"), _reasons(_table(record, "waiver"))),
        (_tr("Texts"), _texts(record)),
        (_tr("Duties shown"), _duties(record)),
        (_tr("Facts stated"), _facts(record)),
        (_tr("Policy"), _policy(record)),
        (_tr("Way"), str(record.get("method") or "")),
        (_tr("Replaces record"), str(record.get("supersedes") or "")),
        (_tr("Record"), row["record_id"]),
        (_tr("Hash of the one before"), row["prev_sha256"]),
    ]
    return [(name, plain(value)) for name, value in details if value]


def _person(row: Mapping[str, str]) -> str:
    parts = [row["by"]]
    if row["os_user"] and row["os_user"] != row["by"]:
        parts.append(_tr("signed in as {user}").format(user=row["os_user"]))
    if row["role"]:
        parts.append(row["role"])
    return ", ".join(part for part in parts if part)


def _files(record: Record) -> str:
    files = _list(_table(record, "model").get("files"))
    return "; ".join(f"{f.get('path')} ({str(f.get('sha256'))[:12]}…)" for f in files)


def _texts(record: Record) -> str:
    parts = []
    for text in _list(record.get("texts")):
        seen = _tr("opened") if text.get("shown") is True else _tr("not opened")
        digest = str(text.get("sha256") or "")
        parts.append(f"{text.get('license')}: {seen}{f', {digest[:12]}…' if digest else ''}")
    return "; ".join(parts)


def _duties(record: Record) -> str:
    duties = _list(record.get("obligations_shown"))
    return "; ".join(f"{duty.get('license')} {duty.get('ref')}" for duty in duties)


def _reasons(record: Record) -> str:
    reasons = _list(record.get("reasons"))
    return "; ".join(f"{reason.get('license')}: {reason.get('ref')}" for reason in reasons)


def _facts(record: Record) -> str:
    facts = _table(record, "facts")
    return "; ".join(f"{words(f'fact_{name}')}: {_value(value)}" for name, value in facts.items())


def _policy(record: Record) -> str:
    policy = _table(record, "policy")
    digest = str(policy.get("sha256") or "")
    if not digest:
        return _tr("none")
    return f"{policy.get('name') or _tr('without a name')} ({digest[:12]}…)"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return _tr("yes") if value else _tr("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _inner(record: Record, table: str, key: str) -> str:
    return str(_table(record, table).get(key) or "")


def _table(record: Record, key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
