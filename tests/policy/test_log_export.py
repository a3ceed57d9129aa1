"""The log for auditors: everything, what concerns one person, and always its head."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.policy.log_export import (
    COLUMNS,
    export_csv,
    export_json,
    matches,
    persons,
    record_kind,
    records_of,
)

AT = "2026-11-26T12:00:00Z"


def record(repo: str, display: str, note: str = "", **more: object) -> dict[str, object]:
    return {
        "accepted_by": {"os_user": "ada", "display": display, "role": "member"},
        "note": note,
        "model": {"repo": repo, "commit": "c" * 40, "files": [{"path": "m.gguf"}]},
        "effective": {"ids": ["mit", "llama3.3"]},
        "verdict": "allowed_with_obligations",
        "method": "checkbox",
        **more,
    }


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    log = AcceptanceLog(tmp_path / "log.jsonl", tmp_path / "head")
    first = log.append(record("a/one", "Ada Lovelace", "Ticket 482"))
    log.append(record("b/two", "Grace Hopper", unreviewed=True))
    log.append(record("c/three", '=HYPERLINK("x")'))
    log.revoke(first, AcceptanceForm(display_name="Ada Lovelace"), "ada")
    return log


def test_json_holds_every_record_and_the_head(log: AcceptanceLog) -> None:
    report = log.verify()
    exported = json.loads(export_json(log.records(), report, AT))
    assert exported["exported_at"] == AT
    assert exported["log"] == {
        "records": 4, "head_sha256": report.head_sha256, "whole": True, "problem": None,
        "line": None, "beyond_head": False, "clock_line": None,
    }  # fmt: skip
    assert [entry["model"]["repo"] for entry in exported["records"]] == [
        "a/one", "b/two", "c/three", "a/one",
    ]  # fmt: skip
    assert exported["records"][0]["accepted_by"]["display"] == "Ada Lovelace"


def test_csv_is_a_table_with_the_head_in_its_last_line(log: AcceptanceLog) -> None:
    report = log.verify()
    rows = list(csv.DictReader(io.StringIO(export_csv(log.records(), report, AT))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 5
    assert (rows[0]["by"], rows[0]["note"]) == ("Ada Lovelace", "Ticket 482")
    assert rows[1]["unreviewed"] == "yes"
    assert rows[3]["kind"] == "revoked"
    assert rows[4]["prev_sha256"] == report.head_sha256
    assert rows[4]["note"] == "whole"


def test_no_cell_is_a_formula(log: AcceptanceLog) -> None:
    for row in csv.reader(io.StringIO(export_csv(log.records(), log.verify(), AT))):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_a_tampered_log_says_so_in_its_export(log: AcceptanceLog) -> None:
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join([lines[0], *lines[2:]]))
    report = log.verify()
    assert json.loads(export_json(log.records(), report, AT))["log"]["whole"] is False
    assert "at line" in export_csv(log.records(), report, AT)


def test_everything_about_one_person(log: AcceptanceLog) -> None:
    records = log.records()
    assert persons(records) == ('=HYPERLINK("x")', "Ada Lovelace", "Grace Hopper")
    assert [r["model"]["repo"] for r in records_of(records, "Grace Hopper")] == ["b/two"]
    assert len(records_of(records, "Ada Lovelace")) == 2
    assert len(records_of(records, "ada")) == 4, "the name on the system is a name too"


def test_search_looks_at_all_fields(log: AcceptanceLog) -> None:
    first = log.records()[0]
    for text in ("", "lovelace", "482 a/one", "LLAMA3.3", "m.gguf", "obligations"):
        assert matches(first, text), text
    assert not matches(first, "lovelace b/two")


def test_records_written_by_hand_can_be_exported(tmp_path: Path) -> None:
    odd = [{"accepted_by": 3, "model": "x", "effective": {"ids": "mit"}, "method": ["x"]}, {}]
    log = AcceptanceLog(tmp_path / "log.jsonl", tmp_path / "head")
    assert record_kind(odd[0]) == "acceptance"
    assert export_csv(odd, log.verify(), AT).count("\r\n") == 4
    assert persons(odd) == ()
