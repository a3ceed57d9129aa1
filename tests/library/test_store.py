"""The manifest: opens in every state, keeps what it was told, deletes what is in it and no more."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.errors import CancelledByUser, CorruptSettings, NotFound, UsageError
from openshelf.hub.cache_layout import Place, link_snapshot, place_of, write_main
from openshelf.hub.entries import DownloadFile
from openshelf.library.hashing import sha256_of_file
from openshelf.library.installed import Damage, InstalledFile, InstalledModel
from openshelf.library.measurements import MeasuredRun
from openshelf.library.schema import LIBRARY
from openshelf.library.store import Library, now_utc
from openshelf.library.verifying import FileState
from openshelf.licenses.effective import EffectiveLicense
from openshelf.tasks import CancelToken, Progress, no_report
from tests.conftest import ExpectedLogs

LICENSE = EffectiveLicense(("mit",), "MIT", (), ())
COMMIT = "1" * 40


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "library.sqlite3"


@pytest.fixture
def library(database: Path, tmp_path: Path) -> Iterator[Library]:
    opened = Library(database, tmp_path / "models")
    yield opened
    opened.close()


def place_file(models: Path, path: str, content: bytes, commit: str = COMMIT) -> Place:
    """A file in the cache, as a download leaves it."""
    file = DownloadFile(
        "ada/Small", commit, path, len(content), hashlib.sha256(content).hexdigest()
    )
    place = place_of(models, file)
    place.blob.parent.mkdir(parents=True, exist_ok=True)
    place.blob.write_bytes(content)
    link_snapshot(place)
    write_main(place)
    return place


def model_of(*places: Place, name: str = "Small", quant: str = "Q4_K_M") -> InstalledModel:
    files = tuple(
        InstalledFile(
            place.snapshot.name, str(place.snapshot), place.blob.stat().st_size,
            sha256_of_file(place.blob),
        )
        for place in places
    )  # fmt: skip
    return InstalledModel(
        id=f"ada/{name}@{places[0].commit[:8]}:{name}-{quant}",
        repo="ada/Small", commit=places[0].commit, name=name, quant=quant, files=files,
        license_expression="MIT", license_ids=("mit",), record_id="r", source="hub",
        installed_at=now_utc(), verified_at=now_utc(),
    )  # fmt: skip


def register(library: Library, *places: Place, **names: str) -> InstalledModel:
    model = model_of(*places, **names)
    return library.register(model, LICENSE, frozenset(file.location for file in model.files))


def test_round_trip(library: Library, database: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    library.announcer.subscribe(lambda models: heard.append(len(models)))
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"aaaa"))
    assert library.installed() == (model,)
    assert library.effective_license(model.id) == LICENSE
    assert heard == [1]
    library.keep_run(MeasuredRun(model.id, now_utc(), 0, 21.5))
    library.close()
    again = Library(database, tmp_path / "models")
    found = again.find(model.id)
    assert found.last_used_at is not None
    assert found.decode_tokens_per_second == 21.5
    assert again.problem is None
    again.close()


def test_find(library: Library, tmp_path: Path) -> None:
    place = place_file(tmp_path / "models", "a.gguf", b"aaaa")
    small = register(library, place)
    large = register(library, place, name="Large")
    for text in (small.id, small.id.upper(), "small-q4", "Small"):
        assert library.find(text) == small
    with pytest.raises(NotFound) as error:
        library.find("q4_k_m")
    assert set(error.value.candidates) == {small.id, large.id}
    for text in ("nothing", "", "%"):
        with pytest.raises(NotFound):
            library.find(text)


def test_missing_file_is_said(library: Library, tmp_path: Path) -> None:
    place = place_file(tmp_path / "models", "a.gguf", b"aaaa")
    model = register(library, place)
    place.blob.write_bytes(b"aaa")
    assert library.find(model.id).missing
    place.blob.unlink()
    assert library.find(model.id).missing
    check = library.verify(model.id, CancelToken(), no_report)
    assert (check.state, check.model.damaged) == (FileState.MISSING, None)
    assert check.model.verified_at is None


def test_verify(library: Library, tmp_path: Path) -> None:
    place = place_file(tmp_path / "models", "a.gguf", b"aaaa")
    model = register(library, place)
    assert library.verify(model.id, CancelToken(), no_report).model.verified_at
    facts = place.blob.stat()
    place.blob.write_bytes(b"aaab")
    os.utime(place.blob, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    found = library.verify(model.id, CancelToken(), no_report)
    assert found.state is FileState.DAMAGED
    assert found.files[0].actual_sha256 == hashlib.sha256(b"aaab").hexdigest()
    kept = library.find(model.id)
    assert (kept.verified_at, kept.damaged) == (None, Damage("a.gguf", sha256_of_file(place.blob)))
    place.blob.unlink()
    gone = library.verify(model.id, CancelToken(), no_report)
    assert gone.state is FileState.MISSING
    assert gone.model.damaged == kept.damaged, "only an intact file takes that back"
    place.blob.write_bytes(b"aaaa")
    whole = library.verify(model.id, CancelToken(), no_report)
    assert (whole.state, whole.model.damaged) == (FileState.INTACT, None)
    assert whole.model.verified_at


def test_verify_reads_the_second_file_too_and_can_be_cancelled(
    library: Library, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    first, second = place_file(models, "a.gguf", b"aaaa"), place_file(models, "b.gguf", b"bbbb")
    model = register(library, first, second)
    second.blob.write_bytes(b"bbba")
    heard: list[Progress] = []
    found = library.verify(model.id, CancelToken(), heard.append)
    assert [check.state for check in found.files] == [FileState.INTACT, FileState.DAMAGED]
    assert (heard[-1].done, heard[-1].total) == (8, 8)
    second.blob.write_bytes(b"bbbb")
    stopped = CancelToken()
    stopped.cancel()
    with pytest.raises(CancelledByUser):
        library.verify(model.id, stopped, no_report)
    assert library.find(model.id).damaged == Damage("b.gguf", found.files[1].actual_sha256 or "")


def test_what_was_installed_anew_meanwhile_is_not_called_damaged(
    library: Library, tmp_path: Path
) -> None:
    place = place_file(tmp_path / "models", "a.gguf", b"aaaa")
    old = register(library, place)
    place.blob.write_bytes(b"aaab")

    def install_anew(progress: Progress) -> None:
        later = dataclasses.replace(old, installed_at="2999-01-01T00:00:00Z")
        library.register(later, LICENSE, frozenset())

    check = library.verify(old.id, CancelToken(), install_anew)
    assert check.state is FileState.DAMAGED
    assert check.model.damaged is None


@pytest.mark.parametrize("version", range(1, len(LIBRARY.migrations)))
def test_library_of_any_version_before_is_brought_along(
    database: Path, tmp_path: Path, version: int
) -> None:
    """Files below the model folder are kept relative to it, others where they are."""
    models, outside = tmp_path / "models", tmp_path / "b.gguf"
    models.mkdir()
    for path in (models / "a.gguf", outside):
        path.write_bytes(b"x")
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as older:
        for script in LIBRARY.migrations[:version]:
            older.executescript(script)
        older.execute(
            "INSERT INTO models (id, repo, commit_id, name, license_expression, license_ids,"
            " source, installed_at, verified_at, license_json) VALUES"
            " ('x','a/b','c','n','MIT','[]','hub','2026','2026-01-02','{}')"
        )
        older.executemany(
            "INSERT INTO files (model_id, position, path, location, blob, size_bytes, sha256,"
            " is_ours) VALUES ('x',?,?,?,?,1,'0',1)",
            [(n, p.name, str(p), str(p)) for n, p in enumerate((models / "a.gguf", outside))],
        )
        if version >= 4:
            older.execute("UPDATE files SET verified_at = '2026-01-02'")
        older.execute(f"PRAGMA user_version = {version}")
    older.close()
    library = Library(database, models)
    assert library.problem is None
    found = library.find("x")
    assert (found.damaged, found.missing, found.verified_at) == (None, False, "2026-01-02")
    assert [file.folder for file in found.files] == [str(models), ""]
    library.remove("x", for_good=True)
    assert not (models / "a.gguf").exists()
    assert outside.exists(), "what lies in no model folder stays"
    library.close()


def test_remove_deletes_exactly_the_manifest(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = place_file(models, "a.gguf", b"a" * 100)
    second = place_file(models, "b.gguf", b"b" * 200)
    stranger = place_file(models, "c.gguf", b"c" * 300)
    model = register(library, first, second)
    assert library.remove(model.id).freed_bytes == 300
    assert not first.blob.exists()
    assert not second.snapshot.is_symlink()
    assert stranger.snapshot.read_bytes() == b"c" * 300
    assert stranger.repo_folder.joinpath("refs", "main").exists()


def test_last_model_takes_its_folder_along(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    model = register(library, place_file(models, "sub/a.gguf", b"a" * 100))
    library.remove(model.id)
    assert list(models.rglob("*")) == []


def test_shared_blob_stays(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    old = place_file(models, "a.gguf", b"a" * 100)
    new = place_file(models, "a.gguf", b"a" * 100, commit="2" * 40)
    first, second = register(library, old), register(library, new)
    assert library.remove(first.id).freed_bytes == 0
    assert new.snapshot.read_bytes() == b"a" * 100
    assert not old.snapshot.is_symlink()
    assert library.remove(second.id).freed_bytes == 100


def test_blob_of_a_snapshot_that_is_not_ours_stays(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    place = place_file(models, "a.gguf", b"a" * 100)
    other = place_file(models, "elsewhere.gguf", b"a" * 100, commit="3" * 40)
    model = register(library, place)
    assert library.remove(model.id).freed_bytes == 0
    assert other.snapshot.read_bytes() == b"a" * 100


def test_nothing_outside_the_model_folder_is_deleted(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    outside = tmp_path / "precious.gguf"
    outside.write_bytes(b"p" * 100)
    place = place_file(models, "a.gguf", b"a")
    place.snapshot.unlink()
    place.snapshot.symlink_to(outside)
    model = register(library, place)
    sneaky = InstalledFile(
        "x", str(models / "models--a--b" / ".." / ".." / "precious.gguf"), 100, "0" * 64
    )
    library.register(
        InstalledModel(**{**vars(model), "id": "x", "files": (sneaky,)}),
        LICENSE,
        frozenset({sneaky.location}),
    )
    for model_id in (model.id, "x"):
        assert library.remove(model_id).freed_bytes == 0
    assert outside.exists()


def test_unfinished_files_are_discarded(library: Library, tmp_path: Path) -> None:
    models = tmp_path / "models"
    mine = place_file(models, "a.gguf", b"a" * 100)
    theirs = place_file(models, "b.gguf", b"b" * 100)
    library.note_placed(mine.snapshot)
    assert library.was_placed(mine.snapshot)
    assert library.discard_placed([mine.snapshot, theirs.snapshot]) == 100
    assert theirs.snapshot.exists()
    assert not library.was_placed(mine.snapshot)


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_broken_file_is_put_aside_and_kept(
    database: Path, tmp_path: Path, content: bytes, expected_logs: ExpectedLogs
) -> None:
    expected_logs("is damaged and is set aside")
    database.parent.mkdir(parents=True)
    database.write_bytes(content)
    library = Library(database, tmp_path / "models")
    assert library.problem is not None
    assert library.problem.code == "library_set_aside"
    assert Path(library.problem.data["path"]).read_bytes() == content
    register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    library.close()
    again = Library(database, tmp_path / "models")
    assert len(again.installed()) == 1
    again.close()


def test_file_of_a_newer_version_is_left_alone(database: Path, tmp_path: Path) -> None:
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = database.read_bytes()
    library = Library(database, tmp_path / "models")
    assert library.problem is not None
    assert library.problem.code == "library_too_new"
    register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    library.close()
    assert database.read_bytes() == before


def test_place_that_cannot_be_written(tmp_path: Path, expected_logs: ExpectedLogs) -> None:
    expected_logs("is damaged|cannot be kept")
    (tmp_path / "file").write_text("in the way")
    library = Library(tmp_path / "file" / "library.sqlite3", tmp_path)
    assert library.problem is not None
    assert library.problem.code == "library_not_kept"
    assert library.installed() == ()
    library.close()


def test_locked_by_another_program(database: Path, library: Library, tmp_path: Path) -> None:
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert library.installed() == (model,), "reading goes on"
        with pytest.raises(UsageError):
            library.keep_run(MeasuredRun(model.id, now_utc(), 0, 21.5))
    finally:
        other.close()
    library.keep_run(MeasuredRun(model.id, now_utc(), 0, 21.5))


_WRITER = """
import sys
from pathlib import Path
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.store import Library
from openshelf.licenses.effective import EffectiveLicense
library = Library(Path(sys.argv[1]), Path(sys.argv[2]))
start = int(sys.argv[3])
for number in range(start, start + 100_000):
    file = InstalledFile("a", "/nowhere/a", 1, "0" * 64)
    library.register(
        InstalledModel(str(number), "a/b", "1" * 40, "n", None, (file,), "MIT", ("mit",), None,
                       "hub", "2026", None), EffectiveLicense(("mit",), "MIT", (), ()), frozenset())
    print(number, flush=True)
"""


def kill_while_writing(database: Path, models: Path, times: int) -> None:
    dice = random.Random(20261123)
    committed: set[str] = set()
    for turn in range(times):
        arguments = [str(database), str(models), str(turn * 100_000)]
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        committed.add(writer.stdout.readline().strip())
        time.sleep(dice.random() / 50)  # the moment itself is what varies
        writer.kill()
        committed.update(line.strip() for line in writer.stdout if line.endswith("\n"))
        writer.stdout.close()
        writer.wait()
        library = Library(database, models)
        assert library.problem is None
        assert committed <= {model.id for model in library.installed()}
        library.close()


def test_kills_while_writing_lose_nothing(database: Path, tmp_path: Path) -> None:
    kill_while_writing(database, tmp_path, 10)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_two_hundred_kills_while_writing(database: Path, tmp_path: Path) -> None:
    kill_while_writing(database, tmp_path, 200)


def _rewritten(database: Path, sql: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute(sql)
    connection.commit()
    connection.close()


def test_one_rotten_byte_hides_nothing_else(database: Path, tmp_path: Path) -> None:
    library = Library(database, tmp_path / "models")
    one = register(library, place_file(tmp_path / "models", "a.gguf", b"a"), name="One")
    register(library, place_file(tmp_path / "models", "b.gguf", b"b"), name="Two")
    library.close()
    _rewritten(database, "UPDATE models SET name = CAST(x'54ff6f' AS TEXT) WHERE name = 'Two'")
    library = Library(database, tmp_path / "models")
    assert library.problem is None
    assert {model.name for model in library.installed()} == {"One", "T\ufffdo"}
    assert library.find(one.id) == one
    library.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE models SET license_ids = '['",
        "UPDATE models SET license_ids = 5",
        "UPDATE models SET name = x'ff', installed_at = 5, decode_tokens_per_second = 'fast'",
        "UPDATE files SET sha256 = 5, path = 5",
        "UPDATE files SET size_bytes = 'many'",
        "UPDATE models SET license_json = '['",
    ],
)
def test_values_that_make_no_sense_stop_no_start(database: Path, tmp_path: Path, sql: str) -> None:
    library = Library(database, tmp_path / "models")
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    library.close()
    _rewritten(database, sql)
    library = Library(database, tmp_path / "models")
    for found in library.installed():
        json.dumps(found.as_json())
    if "license_json" in sql:
        with pytest.raises(CorruptSettings):
            library.effective_license(model.id)
    library.close()


@pytest.mark.parametrize("sql", ["PRAGMA user_version = -5", "DROP TABLE files"])
def test_a_file_without_its_tables_is_put_aside(
    database: Path, tmp_path: Path, sql: str, expected_logs: ExpectedLogs
) -> None:
    Library(database, tmp_path / "models").close()
    _rewritten(database, sql)
    expected_logs("set aside")
    library = Library(database, tmp_path / "models")
    assert library.problem is not None
    assert library.problem.code == "library_set_aside"
    assert library.installed() == ()
    library.close()
