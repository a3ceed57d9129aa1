"""The look through the model folders: what moved is found by its content and by nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.errors import CancelledByUser, NotEnoughDisk
from openshelf.library import file_rows, scanning
from openshelf.library.folders import ModelFolders
from openshelf.library.removal import Removed
from openshelf.library.scanning import ScanReport, Stranger, scan
from openshelf.library.settling import Settled, settle
from openshelf.library.store import Library
from openshelf.tasks import CancelToken, Progress, no_report
from tests.library.foreign import put
from tests.library.test_store import LICENSE, Place, model_of, place_file

BIG = 200_000


class Shelves:
    """A library over a standard folder and two others, of which a test may take some away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models, self.one, self.two = (folder / name for name in ("models", "one", "two"))
        for path in (self.models, self.one, self.two):
            path.mkdir()
        self.listed = [str(self.one), str(self.two)]
        folders = ModelFolders(self.models, lambda: self.listed)
        self.trashed: list[Path] = []
        self.library = Library(folder / "data" / "library.sqlite3", folders, self.discard)

    def discard(self, path: Path) -> None:
        self.trashed.append(path)
        path.unlink()

    def follow(self, *listed: Path) -> None:
        self.listed[:] = [str(path) for path in listed]
        self.library.follow_folders()

    def register(self, *places: Place, name: str = "Small") -> str:
        model = model_of(*places, name=name)
        ours = frozenset(file.location for file in model.files)
        return self.library.register(model, LICENSE, ours).id

    def scan(self) -> ScanReport:
        return scan(self.library, CancelToken(), no_report)

    def settle(self, report: ScanReport) -> Settled:
        return settle(self.library, report.doubts, CancelToken(), no_report)


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Shelves]:
    made = Shelves(tmp_path)
    yield made
    made.library.close()


@pytest.fixture
def no_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("a file that did not change is read")

    monkeypatch.setattr(scanning, "edges_sha256", refuse)
    monkeypatch.setattr(file_rows, "edges_sha256", refuse)


def content(seed: int, size: int = BIG) -> bytes:
    return bytes((seed + i // 1000) % 251 for i in range(size))


def test_what_did_not_change_is_not_read(shelves: Shelves, request: pytest.FixtureRequest) -> None:
    for number in range(4):
        folder = (shelves.models, shelves.one, shelves.two)[number % 3]
        shelves.register(place_file(folder, f"{number}.gguf", content(number)), name=f"n{number}")
    request.getfixturevalue("no_hashing")
    report = shelves.scan()
    assert (report.files, report.unchanged, report.missing, report.away) == (4, 4, 0, 0)
    assert (report.doubts, report.strangers) == ((), ())


def test_a_renamed_folder_and_a_moved_file_are_found_again(shelves: Shelves) -> None:
    first = place_file(shelves.one, "a.gguf", content(1))
    second = place_file(shelves.one, "b.gguf", content(2))
    model_id = shelves.register(first, second)
    before = shelves.library.find(model_id)
    moved = shelves.two / "sorted" / "renamed.gguf"
    moved.parent.mkdir()
    first.blob.rename(moved)
    first.snapshot.unlink()
    (shelves.one / "models--ada--Small").rename(shelves.one / "models--ada--Other")
    assert shelves.library.find(model_id).missing
    report = shelves.scan()
    assert len(report.doubts) == 2
    assert shelves.library.find(model_id).missing, "not believed before all of it was read"
    settled = shelves.settle(report)
    assert {path for _, path in settled.found} == {
        str(moved), str(shelves.one / "models--ada--Other" / "snapshots" / ("1" * 40) / "b.gguf")
    }  # fmt: skip
    after = shelves.library.find(model_id)
    assert (after.missing, after.id, after.record_id) == (False, before.id, before.record_id)
    assert [f.sha256 for f in after.files] == [f.sha256 for f in before.files]
    assert shelves.library.effective_license(model_id) == LICENSE
    again = shelves.scan()
    assert (again.unchanged, again.doubts, again.strangers) == (2, (), ())
    assert set(after.own_files) == set(after.files), "whoever moved them: they are theirs now"
    assert shelves.library.remove(model_id).freed_bytes == 0
    assert moved.exists()


def test_a_persons_own_copy_that_was_found_in_place_of_ours_stays(shelves: Shelves) -> None:
    place = place_file(shelves.one, "a.gguf", content(1))
    own = put(shelves.two / "mine.gguf", content(1))
    model_id = shelves.register(place)
    place.blob.unlink()
    place.snapshot.unlink()
    shelves.settle(shelves.scan())
    model = shelves.library.find(model_id)
    assert [file.location for file in model.own_files] == [str(own)]
    assert model.as_json()["files"][0]["ours"] is False
    assert shelves.library.remove(model_id) == Removed()
    assert own.exists()
    assert shelves.trashed == []


def test_a_persons_own_file_goes_where_they_say_so(shelves: Shelves) -> None:
    place = place_file(shelves.one, "a.gguf", content(1))
    model_id = shelves.register(place)
    moved = shelves.two / "moved.gguf"
    place.blob.rename(moved)
    place.snapshot.unlink()
    shelves.settle(shelves.scan())
    assert shelves.library.remove(model_id, all_files=True) == Removed(BIG, BIG)
    assert shelves.trashed == [moved]


def test_a_drive_at_another_mount_point_is_found_again(shelves: Shelves) -> None:
    model_id = shelves.register(place_file(shelves.one, "a.gguf", content(1)))
    elsewhere = shelves.folder / "mnt"
    shelves.one.rename(elsewhere)
    gone = shelves.scan()
    assert (gone.away, gone.missing, gone.doubts) == (1, 0, ())
    assert shelves.library.find(model_id).away == str(shelves.one)
    shelves.follow(shelves.one, elsewhere)
    settled = shelves.settle(shelves.scan())
    assert [found[0] for found in settled.found] == [model_id]
    model = shelves.library.find(model_id)
    assert (model.is_usable, model.first_file.folder) == (True, str(elsewhere))


@pytest.mark.parametrize("where", ["middle", "edge", "size"])
def test_what_only_looks_the_same_is_never_taken_for_it(shelves: Shelves, where: str) -> None:
    place = place_file(shelves.one, "a.gguf", content(1))
    model_id = shelves.register(place)
    place.blob.unlink()
    other = bytearray(content(1))
    if where == "size":
        other.append(0)
    else:
        other[BIG // 2 if where == "middle" else 5] ^= 1
    put(shelves.two / "b.gguf", bytes(other))
    report = shelves.scan()
    assert len(report.doubts) == (where == "middle"), "only the whole hash tells these apart"
    assert shelves.settle(report) == Settled()
    assert shelves.library.find(model_id).missing


def test_a_file_that_was_changed_in_place_is_read_again(shelves: Shelves) -> None:
    touched = place_file(shelves.one, "a.gguf", content(1))
    broken = place_file(shelves.one, "b.gguf", content(2))
    ids = [shelves.register(touched), shelves.register(broken, name="Other")]
    os.utime(touched.blob, (1, 1))
    with broken.blob.open("r+b") as file:
        file.seek(BIG // 2)
        file.write(b"\xff")
    os.utime(broken.blob, (1, 1))
    report = shelves.scan()
    assert [doubt.has_moved for doubt in report.doubts] == [False, False]
    settled = shelves.settle(report)
    assert (settled.intact, settled.damaged) == ((ids[0],), (ids[1],))
    assert shelves.library.find(ids[1]).damaged is not None
    assert shelves.scan().doubts == (), "and not once more"


def test_another_inode_alone_is_no_reason_to_read_it_whole(shelves: Shelves) -> None:
    """A network folder has other inodes after each mount."""
    place = place_file(shelves.one, "a.gguf", content(1))
    shelves.register(place)
    facts = place.blob.stat()
    copy = place.blob.with_name("copy")
    copy.write_bytes(place.blob.read_bytes())
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    copy.replace(place.blob)
    report = shelves.scan()
    assert (report.unchanged, report.doubts) == (1, ())


def test_files_that_nobody_entered_are_offered_once_each(shelves: Shelves) -> None:
    known = place_file(shelves.models, "a.gguf", content(1))
    shelves.register(known)
    put(shelves.one / "x" / "new.gguf", content(9, 10))
    (shelves.one / "link.gguf").symlink_to(shelves.one / "x" / "new.gguf")
    (shelves.two / "known again.gguf").symlink_to(known.blob)
    for number in (1, 2, 3):
        put(shelves.two / f"split-0000{number}-of-00003.gguf", content(number, 100))
    put(shelves.two / "only-00002-of-00002.gguf", b"x")
    put(shelves.two / "mmproj-model.gguf", b"x")
    put(shelves.two / "many-00001-of-99999.gguf", b"xyz")
    (shelves.two / "dangling.gguf").symlink_to(shelves.two / "nothing")
    (shelves.two / "folder.gguf").mkdir()
    (shelves.two / "loop").symlink_to(shelves.two)
    put(Path(os.fsdecode(os.fsencode(shelves.two) + b"/\xff.gguf")), b"x")
    assert shelves.scan().strangers == (
        Stranger(str(shelves.one / "link.gguf"), 10),
        Stranger(str(shelves.two / "many-00001-of-99999.gguf"), 3),
        Stranger(str(shelves.two / "split-00001-of-00003.gguf"), 300),
    )
    assert len(shelves.library.installed()) == 1, "nothing is taken in silently"


def test_whoever_names_a_whole_disk_does_not_wait_for_all_of_it(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = shelves.folder / "disk"
    for number in range(6):
        put(deep / f"d{number}" / "deep.gguf", b"x")
    put(deep / "top.gguf", b"x")
    shelves.follow(deep)
    monkeypatch.setattr(scanning, "MOST_ENTRIES", 7)
    found = shelves.scan()
    assert [Path(stranger.path).name for stranger in found.strangers] == ["top.gguf"]
    assert found.cut == (str(deep),)
    monkeypatch.setattr(scanning, "MOST_ENTRIES", 70)
    found = shelves.scan()
    assert (len(found.strangers), found.cut) == (7, ())


def test_a_database_that_cannot_be_written_is_no_reason_to_tell_nothing(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_file(shelves.one, "a.gguf", content(1))
    shelves.register(place)
    with shelves.library._database.writing() as connection:
        connection.execute("UPDATE files SET inode = 1")

    def refuse(looks: object) -> None:
        raise NotEnoughDisk("/", 1, 0)

    monkeypatch.setattr(shelves.library, "keep_looks", refuse)
    assert shelves.scan().unchanged == 1


def test_a_mended_file_takes_the_mark_of_its_model_away(shelves: Shelves) -> None:
    first = place_file(shelves.one, "a.gguf", content(1))
    second = place_file(shelves.one, "b.gguf", content(2))
    model_id = shelves.register(first, second)
    for place in (first, second):
        place.blob.write_bytes(content(3))
    assert shelves.settle(shelves.scan()).damaged == (model_id, model_id)
    first.blob.write_bytes(content(1))
    os.utime(first.blob, (2, 2))
    shelves.settle(shelves.scan())
    assert shelves.library.find(model_id).damaged is not None, "the other still is"
    second.blob.write_bytes(content(2))
    os.utime(second.blob, (2, 2))
    shelves.settle(shelves.scan())
    assert shelves.library.find(model_id).damaged is None


def test_settling_can_be_stopped_and_keeps_what_was_read(shelves: Shelves) -> None:
    ids = []
    for number in range(2):
        place = place_file(shelves.one, f"{number}.gguf", content(number))
        ids.append(shelves.register(place, name=f"n{number}"))
        place.blob.rename(shelves.two / f"{number}.gguf")
    stop = CancelToken()

    def report(progress: Progress) -> None:
        if progress.done >= BIG:
            stop.cancel()

    doubts = shelves.scan().doubts
    with pytest.raises(CancelledByUser):
        settle(shelves.library, doubts, stop, report)
    assert sorted(shelves.library.find(model_id).missing for model_id in ids) == [False, True]


def test_a_library_from_before_the_folders_is_taken_as_it_is(shelves: Shelves) -> None:
    model_id = shelves.register(place_file(shelves.one, "a.gguf", content(1)))
    with shelves.library._database.writing() as connection:
        connection.execute("UPDATE files SET modified_ns = NULL, inode = NULL, edges_sha256 = NULL")
    assert (shelves.scan().unchanged, shelves.scan().doubts) == (1, ())
    shelves.one.rename(shelves.folder / "moved")
    shelves.follow(shelves.folder / "moved")
    assert shelves.settle(shelves.scan()).found[0][0] == model_id
