"""The acceptance log: what a crash may leave is accepted, every change is found."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import NotEnoughDisk, NotFound, UnwritableFile
from openshelf.licenses import acceptance
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.chain import ZERO, canonical, sha256_of
from openshelf.licenses.clearance import ClearedFile
from openshelf.licenses.effective import LicenseText
from openshelf.licenses.log_queries import ERASED, WAIVED, of_person

COMMIT = "c" * 40
FILE = ClearedFile("model-Q4_K_M.gguf", "a" * 64, 1234)


def record(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "accepted_by": {"os_user": "ada", "display": f"Ada {number}", "role": "member"},
        "note": f"ticket {number}",
        "model": {
            "repo": "owner/model-GGUF",
            "commit": COMMIT,
            "files": [{"path": FILE.path, "sha256": FILE.sha256, "size": FILE.size_bytes}],
        },
        "effective": {"expression": "MIT", "ids": ["mit"]},
        "verdict": "allowed",
        **more,
    }


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    return AcceptanceLog(tmp_path / "data" / "acceptances.jsonl", tmp_path / "head" / "head.json")


def filled(log: AcceptanceLog, count: int = 5) -> AcceptanceLog:
    for number in range(count):
        log.append(record(number))
    return log


def test_an_empty_log_is_whole(log: AcceptanceLog) -> None:
    report = log.verify()
    assert (report.records, report.head_sha256, report.problem) == (0, ZERO, None)
    assert log.records() == ()
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) is None


def test_records_are_chained(log: AcceptanceLog) -> None:
    filled(log, 3)
    lines = log.path.read_bytes().splitlines()
    loaded = [json.loads(line) for line in lines]
    assert [entry["v"] for entry in loaded] == [1, 1, 1]
    assert loaded[0]["prev_sha256"] == ZERO
    assert loaded[2]["prev_sha256"] == sha256_of(lines[1])
    assert all(canonical(entry) == line for entry, line in zip(loaded, lines, strict=True))
    assert json.loads(log.head_file.read_text()) == {"count": 3, "sha256": sha256_of(lines[2])}
    assert log.verify().problem is None
    assert loaded[0]["at"].endswith("Z")


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_only_the_owner_reads_it(log: AcceptanceLog) -> None:
    filled(log, 1)
    for path in (log.path, log.head_file, log.names.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_acceptance_is_found_by_its_files(log: AcceptanceLog) -> None:
    record_id = log.append(record())
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) == record_id
    other = ClearedFile(FILE.path, "b" * 64, FILE.size_bytes)
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE, other)) is None
    assert log.find_acceptance("owner/model-GGUF", COMMIT, ()) is None
    assert log.find_acceptance("owner/model-GGUF", "d" * 40, (FILE,)) is None
    assert log.find_acceptance("owner/other", COMMIT, (FILE,)) is None


def test_a_revoked_acceptance_is_gone(log: AcceptanceLog) -> None:
    first, second = log.append(record(1)), log.append(record(2))
    log.revoke(second, AcceptanceForm("Ada"))
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) == first
    taken_back = log.revoke(first, AcceptanceForm("Ada"))
    assert log.records()[-1]["model"]["repo"] == "owner/model-GGUF"
    for unknown in (taken_back, "no such id"):
        with pytest.raises(NotFound):
            log.revoke(unknown, AcceptanceForm("Ada"))
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) is None
    assert log.earlier("owner/model-GGUF") == ()
    assert log.verify().problem is None


def test_earlier_acceptances_of_a_repository(log: AcceptanceLog) -> None:
    filled(log, 2)
    found = log.earlier("owner/model-GGUF")
    assert [entry["effective"]["ids"] for entry in found] == [["mit"], ["mit"]]
    assert log.earlier("owner/else") == ()


def test_names_lie_outside_the_chain_and_can_be_erased(log: AcceptanceLog) -> None:
    record_id = log.append(record(7))
    assert b"Ada" not in log.path.read_bytes()
    assert b"ticket" not in log.path.read_bytes()
    (shown,) = log.records()
    assert shown["accepted_by"]["display"] == "Ada 7"
    assert shown["note"] == "ticket 7"
    log.names.erase({record_id})
    assert b"Ada" not in log.names.path.read_bytes()
    (erased,) = log.records()
    assert erased["accepted_by"]["display"] == ""
    assert log.verify().problem is None


def test_a_changed_name_is_not_shown(log: AcceptanceLog) -> None:
    log.append(record(7))
    log.names.path.write_bytes(log.names.path.read_bytes().replace(b"Ada", b"Bob"))
    assert log.records()[0]["accepted_by"]["display"] == ""


def test_a_crash_before_the_head_is_accepted(log: AcceptanceLog) -> None:
    filled(log, 2)
    head = log.head_file.read_bytes()
    log.append(record(3))
    log.head_file.write_bytes(head)
    assert log.verify().problem is None
    log.append(record(4))
    assert (log.verify().records, log.verify().problem) == (4, None)


def test_a_crash_within_a_line_is_accepted(log: AcceptanceLog) -> None:
    filled(log, 2)
    whole = log.path.read_bytes()
    for length in (1, 10, 40):
        log.path.write_bytes(whole + whole.splitlines()[0][:length])
        report = log.verify()
        assert (report.problem, report.unfinished_line) == (None, True)
    log.append(record(3))
    assert (log.verify().records, log.verify().unfinished_line) == (3, False)


def rewritten(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[AcceptanceLog], None]:
    def apply(log: AcceptanceLog) -> None:
        lines = log.path.read_bytes().splitlines(keepends=True)
        log.path.write_bytes(b"".join(change(lines)))

    return apply


CHANGES: dict[str, tuple[Callable[[AcceptanceLog], None], str]] = {
    "last removed": (rewritten(lambda lines: lines[:-1]), "fewer_than_head"),
    "all removed": (rewritten(lambda lines: []), "fewer_than_head"),
    "first removed": (rewritten(lambda lines: lines[1:]), "wrong_link"),
    "two swapped": (rewritten(lambda lines: [lines[1], lines[0], *lines[2:]]), "wrong_link"),
    "one repeated": (rewritten(lambda lines: [*lines, lines[-1]]), "wrong_link"),
    "last cut": (rewritten(lambda lines: [*lines[:-1], lines[-1][:-9]]), "fewer_than_head"),
    "its end cut": (rewritten(lambda lines: [*lines[:-1], lines[-1][:-1]]), "fewer_than_head"),
    "foreign end": (rewritten(lambda lines: [*lines, b"hello"]), "unfinished_is_foreign"),
    "last edited": (
        rewritten(lambda lines: [*lines[:-1], lines[-1].replace(b"allowed", b"blocked")]),
        "head_differs",
    ),
    "spaces": (
        rewritten(lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]]),
        "not_canonical",
    ),
    "no record": (rewritten(lambda lines: [b"[]\n", *lines[1:]]), "not_a_record"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_and_stays_found(log: AcceptanceLog, name: str) -> None:
    change, problem = CHANGES[name]
    change(filled(log))
    report = log.verify()
    assert report.problem == problem
    assert report.line is not None
    if name == "its end cut":
        return  # the next append puts the end back, and nothing was lost
    for number in range(3):
        log.append(record(number))
        assert log.verify().problem is not None


def test_two_records_beyond_the_head_are_too_many(log: AcceptanceLog) -> None:
    filled(log, 2)
    head = log.head_file.read_bytes()
    filled(log, 2)
    log.head_file.write_bytes(head)
    assert log.verify().problem == "more_than_head"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"count": -1, "sha256": "x"}', b"\xff"])
def test_a_broken_head_is_found(log: AcceptanceLog, content: bytes) -> None:
    filled(log, 2)
    log.head_file.write_bytes(content)
    assert log.verify().problem == "head_unreadable"


def test_a_missing_head_is_found(log: AcceptanceLog) -> None:
    filled(log, 2)
    log.head_file.unlink()
    assert log.verify().problem == "more_than_head"


def _tamper(whole: bytes, chance: random.Random) -> bytes:
    lines = whole.splitlines(keepends=True)
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            place = chance.randrange(len(whole))
            return (
                whole[:place]
                + bytes([whole[place] ^ (1 << chance.randrange(8))])
                + whole[place + 1 :]
            )
        case 1:
            return b"".join(lines[:at] + lines[at + 1 :])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
            return b"".join(lines)
        case 3:
            return whole[: chance.randrange(len(whole))]
        case 4:
            return b"".join([*lines[:at], lines[other], *lines[at:]])
        case _:
            entry = json.loads(lines[at])
            entry[chance.choice(sorted(entry))] = chance.randrange(1000)
            return b"".join([*lines[:at], canonical(entry) + b"\n", *lines[at + 1 :]])  # fmt: skip


def _all_found(log: AcceptanceLog, rounds: int) -> None:
    whole = filled(log, 12).path.read_bytes()
    chance = random.Random(20261123)
    done = 0
    while done < rounds:
        changed = _tamper(whole, chance)
        if changed == whole:
            continue
        log.path.write_bytes(changed)
        assert log.verify().problem is not None, changed
        done += 1


def test_random_changes_are_all_found(log: AcceptanceLog) -> None:
    _all_found(log, 200)


@pytest.mark.endurance
def test_two_thousand_random_changes_are_all_found(log: AcceptanceLog) -> None:
    _all_found(log, 2000)


_APPENDING = """
import sys
from pathlib import Path
from openshelf.licenses.acceptance import AcceptanceLog
log = AcceptanceLog(Path(sys.argv[1]), Path(sys.argv[2]))
for number in range(int(sys.argv[3])):
    log.append({"accepted_by": {"os_user": "x", "display": sys.argv[5], "role": "member"},
                "model": {"repo": sys.argv[4], "commit": "c", "files": []}, "n": number,
                "filler": "y" * 4000})
    print(number, flush=True)
"""


def appending(log: AcceptanceLog, count: int, repo: str, name: str = "") -> subprocess.Popen[bytes]:
    places = (str(log.path), str(log.head_file))
    return subprocess.Popen(
        [sys.executable, "-c", _APPENDING, *places, str(count), repo, name],
        stdout=subprocess.PIPE,
        cwd=Path(acceptance.__file__).parents[2],
    )


def test_two_processes_append(log: AcceptanceLog) -> None:
    children = [appending(log, 20, repo) for repo in ("a/one", "a/two")]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    report = log.verify()
    assert (report.records, report.problem, report.unfinished_line) == (40, None, False)
    numbers = [entry["n"] for entry in log.records() if entry["model"]["repo"] == "a/one"]
    assert numbers == list(range(20))


def _killed(log: AcceptanceLog, rounds: int) -> None:
    """kill -9 somewhere in an append: what was announced is there, and the log is whole."""
    chance = random.Random(7)
    announced = 0
    for _ in range(rounds):
        child = appending(log, 10_000, "a/killed")
        assert child.stdout is not None
        for _ in range(chance.randrange(1, 6)):
            child.stdout.readline()
        time.sleep(chance.random() / 200)  # a random moment is the point of this test
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=10)
        child.stdout.close()
        report = log.verify()
        assert report.problem is None
        assert report.records > announced
        announced = report.records


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_while_appending(log: AcceptanceLog) -> None:
    _killed(log, 5)
    log.append(record())
    assert log.verify().problem is None


@pytest.mark.endurance
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_many_kills_while_appending(log: AcceptanceLog) -> None:
    _killed(log, 100)


def test_a_full_disk_is_no_acceptance(log: AcceptanceLog, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(log, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(acceptance.os, "fsync", full)
        patched.setattr(acceptance.PersonNames, "keep", lambda *_: None)
        with pytest.raises(NotEnoughDisk):
            log.append(record(2))
    assert log.verify().problem is None


def test_other_text_in_records_survives(log: AcceptanceLog) -> None:
    log.append(record(on_behalf_of="Müller & Söhne \u2028 \U0001f600", odd="\ud800"))
    assert log.verify().problem is None
    assert log.records()[0]["on_behalf_of"].startswith("Müller")


def test_a_forged_line_allows_nothing_and_can_still_be_listed(log: AcceptanceLog) -> None:
    forged = {
        "record_id": "forged",
        "accepted_by": 5,
        "model": {
            "repo": "o/forged",
            "commit": "c" * 40,
            "files": [{"path": "m.gguf", "sha256": "a" * 64, "size": 1}],
        },
    }
    files = (ClearedFile("m.gguf", "a" * 64, 1),)
    log.path.parent.mkdir(parents=True, exist_ok=True)
    log.path.write_text(json.dumps(forged) + "\n", encoding="utf-8")
    assert log.find_acceptance("o/forged", "c" * 40, files) is None
    assert log.verify().problem is not None
    assert [record["record_id"] for record in log.records()] == ["forged"]


def test_what_was_accepted_before_a_change_still_counts(log: AcceptanceLog) -> None:
    first = log.append(record())
    other = {**record()["model"], "repo": "owner/another"}
    log.append(record(1, model=other))
    assert log.find_acceptance("owner/another", COMMIT, (FILE,)) is not None
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0] + lines[1].replace(b"owner/another", b"owner/changed"))
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) == first
    assert log.find_acceptance("owner/changed", COMMIT, (FILE,)) is None
    assert log.verify().problem == "head_differs"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log = AcceptanceLog(tmp_path / "file" / "log.jsonl", tmp_path / "head")
    with pytest.raises(UnwritableFile):
        log.append(record())


def test_whose_names_are_kept(log: AcceptanceLog) -> None:
    log.append(record(1))
    log.append(record(1))
    log.append({**record(2), "accepted_by": {"os_user": "bob", "display": "", "role": "member"}})
    log.append({**record(3), "note": "", "accepted_by": {"os_user": "eve", "role": "approver"}})
    unnamed, ada = log.people()
    assert (unnamed.name, unnamed.notes, unnamed.os_users) == ("", 1, ("bob",))
    assert (ada.name, len(ada.record_ids), ada.roles) == ("Ada 1", 2, ("member",))


def test_erasing_a_person_leaves_the_chain_and_the_others(log: AcceptanceLog) -> None:
    mine = [log.append(record(1)), log.append(record(1))]
    log.append(record(2))
    with pytest.raises(NotFound):
        log.erase_names("Nobody")
    assert log.erase_names("ADA 1", "ada") == tuple(mine)
    assert [r["accepted_by"]["display"] for r in log.records()] == ["", "", "Ada 2", ""]
    assert [r["note"] for r in log.records()] == ["", "", "ticket 2", ""]
    assert b"Ada 1" not in log.names.path.read_bytes() + log.path.read_bytes()
    assert log.records()[-1]["erased"] == mine
    assert log.verify().problem is None
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) is not None


def test_names_kept_at_the_same_time_are_not_lost(log: AcceptanceLog) -> None:
    """Erasing rewrites the file in which another process may be about to keep a name."""
    child = appending(log, 40, "a/other", "Bob")
    assert child.stdout is not None
    child.stdout.readline()
    for number in range(10):
        log.append(record(number))
        log.erase_names(f"Ada {number}")
    child.communicate(timeout=60)
    assert [(p.name, len(p.record_ids)) for p in log.people()] == [("Bob", 40)]
    assert log.verify().problem is None


def test_records_of_one_person_by_name_or_account(log: AcceptanceLog) -> None:
    log.append(record(1))
    log.append({**record(2), "accepted_by": {"os_user": "bob", "display": "Bob B", "role": "x"}})
    found = [len(of_person(log.records(), name)) for name in ("ada", "Ada 1", "bob b", "BOB", "")]
    assert found == [1, 1, 1, 1, 0]


def test_waivers_and_erasures_are_no_acceptances(log: AcceptanceLog) -> None:
    for method in (WAIVED, ERASED):
        log.append(record(method=method))
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) is None
    assert log.earlier("owner/model-GGUF") == ()
    (waiver,) = log.waivers()
    log.revoke(waiver["record_id"], AcceptanceForm())
    assert log.waivers() == ()
    for entry in log.records():
        with pytest.raises(NotFound):
            log.revoke(entry["record_id"], AcceptanceForm())


def test_an_acceptance_after_a_revocation_counts_again(log: AcceptanceLog) -> None:
    log.revoke(log.append(record()), AcceptanceForm())
    again = log.append(record())
    assert log.find_acceptance("owner/model-GGUF", COMMIT, (FILE,)) == again


def test_texts_are_kept_by_their_hash(log: AcceptanceLog) -> None:
    words = "Some License\nDo as you like."
    digest = sha256_of(words.encode())
    text = LicenseText("x", "https://x", digest, len(words), words)
    log.texts.keep([text, LicenseText("y", "", "", 0), LicenseText("z", "", "0" * 64, 1, "no")])
    assert log.texts.read(digest) == words
    assert log.texts.read("0" * 64) is None
    place = log.texts.folder / f"{digest}.txt"
    assert [path.name for path in log.texts.folder.iterdir()] == [place.name]
    place.write_text("changed")
    assert log.texts.read(digest) is None
    for hostile in ("", "../../etc/passwd", "/" * 64, "x"):
        assert log.texts.read(hostile) is None
