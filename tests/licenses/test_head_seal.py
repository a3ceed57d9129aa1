"""The head of the log under a key of the keychain: rewriting log and head together is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.chain import Head, canonical, sha256_of, write_head
from openshelf.licenses.head_seal import HeadSeal
from tests.fakes.keychain import FakeKeychain
from tests.licenses.test_acceptance import record


@pytest.fixture
def keychain() -> FakeKeychain:
    return FakeKeychain()


@pytest.fixture
def log(tmp_path: Path, keychain: FakeKeychain) -> AcceptanceLog:
    path = tmp_path / "log.jsonl"
    return AcceptanceLog(path, tmp_path / "head.json", HeadSeal(keychain, path))


def unsealed(log: AcceptanceLog) -> AcceptanceLog:
    return AcceptanceLog(log.path, log.head_file)


def forge(log: AcceptanceLog, mac: str = "") -> None:
    """Whoever may write both files makes a log and a head that agree."""
    lines = log.path.read_bytes().splitlines()[:1]
    entry = {**json.loads(lines[0]), "verdict": "blocked"}
    log.path.write_bytes(canonical(entry) + b"\n")
    write_head(log.head_file, Head(1, sha256_of(canonical(entry)), mac))


def test_a_sealed_log(log: AcceptanceLog, keychain: FakeKeychain) -> None:
    assert log.verify().sealed is None, "nothing is there to be sealed"
    for number in range(3):
        log.append(record(number))
        assert (log.verify().problem, log.verify().sealed) == (None, True)
    assert len(keychain.secrets) == 2, "the key, and the newest head"
    key, _ = keychain.secrets.values()
    assert key not in log.head_file.read_text("utf-8") + log.path.read_text("utf-8")


def test_rewriting_log_and_head_is_found(log: AcceptanceLog) -> None:
    for number in range(2):
        log.append(record(number))
    mac = json.loads(log.head_file.read_text("utf-8"))["mac"]
    forge(log, mac)
    assert unsealed(log).verify().problem is None, "by themselves the two agree"
    assert log.verify().problem == "head_seal_wrong"
    log.append(record(5))
    assert log.verify().sealed is False, "and it is not sealed over"


def test_a_seal_that_was_taken_off_stays_off(log: AcceptanceLog) -> None:
    for number in range(2):
        log.append(record(number))
    forge(log)
    for number in range(3):
        assert (log.verify().problem, log.verify().sealed) == ("rolled_back", False)
        log.append(record(number))


def test_an_older_log_is_sealed_as_it_is(log: AcceptanceLog) -> None:
    unsealed(log).append(record())
    assert log.verify().sealed is None
    log.append(record())
    assert (log.verify().problem, log.verify().sealed) == (None, True)


def test_without_a_keychain_all_goes_on(log: AcceptanceLog, keychain: FakeKeychain) -> None:
    keychain.is_open = False
    log.append(record())
    assert (log.verify().problem, log.verify().sealed) == (None, None)
    assert "mac" not in json.loads(log.head_file.read_text("utf-8"))


def test_a_closed_keychain_leaves_a_trace(log: AcceptanceLog, keychain: FakeKeychain) -> None:
    log.append(record())
    keychain.is_open = False
    log.append(record())
    keychain.is_open = True
    assert (log.verify().problem, log.verify().sealed) == (None, False)


def test_a_key_that_cannot_be_read_is_not_replaced(
    log: AcceptanceLog, keychain: FakeKeychain
) -> None:
    """A keychain that is opened by writing to it, after it did not answer."""
    log.append(record())
    kept = dict(keychain.secrets)
    keychain.secrets = {}
    log.append(record())
    assert keychain.secrets == {}
    keychain.secrets = kept
    assert (log.verify().problem, log.verify().sealed) == (None, False)


def test_a_crash_before_the_head_stays_sealed(log: AcceptanceLog) -> None:
    log.append(record())
    before = log.head_file.read_bytes()
    log.append(record())
    log.head_file.write_bytes(before)
    assert (log.verify().problem, log.verify().sealed) == (None, True)
    log.append(record())
    assert (log.verify().problem, log.verify().sealed) == (None, True)


def test_logs_of_two_homes_have_two_keys(
    log: AcceptanceLog, keychain: FakeKeychain, tmp_path: Path
) -> None:
    path = tmp_path / "other" / "log.jsonl"
    other = AcceptanceLog(path, tmp_path / "other" / "head.json", HeadSeal(keychain, path))
    log.append(record())
    other.append(record())
    assert len(keychain.secrets) == 4


@pytest.mark.parametrize("kept", ["", "no hex", "zz"])
def test_a_key_that_is_none(log: AcceptanceLog, keychain: FakeKeychain, kept: str) -> None:
    log.append(record())
    keychain.secrets = dict.fromkeys(keychain.secrets, kept)
    assert log.verify().sealed is None
    log.append(record())
    assert log.verify().problem is None
