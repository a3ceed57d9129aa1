"""What somebody may put in the place of the log, its head and its names: told, never followed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from openshelf.errors import UsageError
from openshelf.licenses import acceptance
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.clearance import ClearedFile
from openshelf.licenses.head_seal import HeadSeal
from openshelf.licenses.log_file import read_plain
from openshelf.policy.log_export import export_csv, export_json
from tests.fakes.keychain import FakeKeychain

FILE = ClearedFile("m.gguf", "a" * 64, 1)
DEEP = b"[" * 200_000


def record(number: int = 0) -> dict[str, object]:
    files = [{"path": FILE.path, "sha256": FILE.sha256, "size": FILE.size_bytes}]
    return {
        "accepted_by": {"os_user": "ada", "display": f"Ada {number}", "role": "member"},
        "note": f"ticket {number}",
        "model": {"repo": "o/m", "commit": "c" * 40, "files": files},
    }


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    made = AcceptanceLog(tmp_path / "data" / "log.jsonl", tmp_path / "data" / "log.head")
    for number in range(3):
        made.append(record(number))
    return made


def found(log: AcceptanceLog) -> str | None:
    return log.find_acceptance("o/m", "c" * 40, (FILE,))


def add(path: Path, line: bytes) -> None:
    path.write_bytes(path.read_bytes() + line + b"\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"accepted_by":' + DEEP, "not_a_record"),
        (b'{"accepted_by":' + b"9" * 6000 + b"}", "not_a_record"),
        (b'{"accepted_by":{"display":"\\ud800"},"note":"\\udfff"}', "not_canonical"),
        (b'{"accepted_by":\xff\xfe}', "not_a_record"),
        (b"", "not_a_record"),
    ],
)
def test_a_line_that_no_reader_likes(log: AcceptanceLog, line: bytes, problem: str) -> None:
    add(log.path, line)
    report = log.verify()
    assert (report.problem, report.line) == (problem, 4)
    assert found(log) is not None, "what stands before it still counts"
    records = log.records()
    for text in (export_csv(records, report, "now"), export_json(records, report, "now")):
        assert text.encode("utf-8", "replace")
    log.append(record(9))
    assert log.verify().problem == problem


@pytest.mark.parametrize("content", [DEEP, b'{"count":' + b"9" * 5000 + b"}", b"x" * 5000])
def test_a_head_that_no_reader_likes(log: AcceptanceLog, content: bytes) -> None:
    log.head_file.write_bytes(content)
    assert log.verify().problem == "head_unreadable"
    assert found(log) is None


def _folder(path: Path, tmp_path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path, tmp_path: Path) -> None:
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")


def _pipe(path: Path, tmp_path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path, tmp_path: Path) -> None:
    os.truncate(path, 1 << 40)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
@pytest.mark.parametrize("replace", [_folder, _link, _pipe, _endless])
def test_what_is_no_plain_file_is_told_and_not_followed(
    log: AcceptanceLog, tmp_path: Path, replace: object
) -> None:
    assert callable(replace)
    before = log.path.read_bytes()
    replace(log.path, tmp_path)
    assert log.verify().problem == "unreadable"
    assert (log.records(), log.lines(), log.waivers(), found(log)) == ((), (), (), None)
    with pytest.raises(UsageError):
        log.append(record(9))
    elsewhere = tmp_path / "elsewhere"
    assert not elsewhere.exists() or elsewhere.read_bytes() == before, "nothing written through it"


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_names_are_not_written_through_a_link(log: AcceptanceLog, tmp_path: Path) -> None:
    _link(log.names.path, tmp_path)
    before = (tmp_path / "elsewhere").read_bytes()
    with pytest.raises(UsageError):
        log.append(record(9))
    assert (tmp_path / "elsewhere").read_bytes() == before
    assert log.verify().records == 3, "without its names nothing is recorded"


def test_a_log_can_be_verified_where_nothing_can_be_locked(log: AcceptanceLog) -> None:
    lock = log.path.with_name(f"{log.path.name}.lock")
    lock.unlink()
    lock.mkdir()
    assert (log.verify().records, log.verify().problem) == (3, None)
    with pytest.raises(UsageError):
        log.append(record(9))
    with pytest.raises(UsageError):
        log.erase_names("Ada 1")
    assert [person.name for person in log.people()] == ["Ada 0", "Ada 1", "Ada 2"]


@pytest.mark.parametrize("line", [b'{"record_id":"x","salt":' + DEEP, b'{"record_id":"\\ud800"}'])
def test_names_that_no_reader_likes_cost_no_other_name(log: AcceptanceLog, line: bytes) -> None:
    add(log.names.path, line)
    assert [person.name for person in log.people()] == ["Ada 0", "Ada 1", "Ada 2"]
    log.erase_names("Ada 1")
    assert [person.name for person in log.people()] == ["Ada 0", "Ada 2"]


def test_half_a_line_of_names_does_not_take_the_next_one_along(log: AcceptanceLog) -> None:
    log.names.path.write_bytes(log.names.path.read_bytes() + b'{"record_id":"x","sal')
    log.append(record(7))
    assert log.records()[-1]["accepted_by"]["display"] == "Ada 7"


def test_a_record_that_the_head_does_not_count_is_said_to_be_one(log: AcceptanceLog) -> None:
    head = log.head_file.read_bytes()
    assert not log.verify().beyond_head
    log.append(record(9))
    log.head_file.write_bytes(head)
    report = log.verify()
    assert (report.problem, report.beyond_head) == (None, True)
    assert '"beyond_head": true' in export_json(log.records(), report, "now")


def test_a_clock_that_was_set_back_is_told(
    log: AcceptanceLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(acceptance.datetime):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return acceptance.datetime(2020, 1, 1, tzinfo=acceptance.UTC)

    monkeypatch.setattr(acceptance, "datetime", Past)
    log.append(record(9))
    report = log.verify()
    assert (report.problem, report.clock_line) == (None, 4)
    revocation = log.revoke(str(log.records()[0]["record_id"]), AcceptanceForm("Eve"))
    assert log.records()[-1]["record_id"] == revocation, "order is that of the chain, not of clocks"


def test_an_older_log_with_its_own_head_is_found_for_good(tmp_path: Path) -> None:
    """A revocation undone by putting yesterday's files back."""
    keychain, path = FakeKeychain(), tmp_path / "log.jsonl"
    log = AcceptanceLog(path, tmp_path / "log.head", HeadSeal(keychain, path))
    first = log.append(record(0))
    old = (log.path.read_bytes(), log.head_file.read_bytes())
    log.revoke(first, AcceptanceForm("Ada"))
    assert (log.verify().problem, log.verify().sealed) == (None, True)
    log.path.write_bytes(old[0])
    log.head_file.write_bytes(old[1])
    report = log.verify()
    assert (report.problem, report.line) == ("rolled_back", 2)
    for number in range(3):
        log.append(record(number))
        assert log.verify().problem == "rolled_back"


def test_a_log_that_is_gone_with_its_head_is_found(tmp_path: Path) -> None:
    keychain, path = FakeKeychain(), tmp_path / "log.jsonl"
    log = AcceptanceLog(path, tmp_path / "log.head", HeadSeal(keychain, path))
    for number in range(3):
        log.append(record(number))
    log.path.unlink()
    log.head_file.unlink()
    assert (log.verify().problem, log.verify().line) == ("rolled_back", 1)
    log.append(record(9))
    assert log.verify().problem == "rolled_back"


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\r\n\x1a" * 700_000)
    assert read_plain(path) == path.read_bytes()
    with pytest.raises(OSError, match="large"):
        read_plain(path, 100)
