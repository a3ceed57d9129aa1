"""Model folders: every state they can be in, what lies in which, and a list that loses nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.errors import NotFound, UsageError
from openshelf.library.folder_list import FolderList
from openshelf.library.folder_look import FolderCondition, FolderLook, PatientLook, look_at
from openshelf.library.folders import ModelFolders, drive_of, split_place
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.scanning import scan
from openshelf.library.store import Library
from openshelf.library.verifying import FileState
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.settings import Settings, SettingsStore
from openshelf.tasks import CancelToken, no_report
from tests.library.conftest import Home, OpenHome
from tests.library.foreign import gguf, put
from tests.library.test_store import LICENSE, model_of, place_file, register

OpenRoots = Callable[[], tuple[Library, FolderList]]


@pytest.fixture
def settings(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "config" / "settings.toml")


@pytest.fixture
def open_roots(tmp_path: Path, settings: SettingsStore) -> Iterator[OpenRoots]:
    """A library over the standard folder and those of the settings; each call is a new start."""
    opened: list[Library] = []

    def open_one() -> tuple[Library, FolderList]:
        folders = ModelFolders(
            tmp_path / "models",
            lambda: settings.current.model_folders,
            lambda: settings.current.download_folder,
        )
        library = Library(tmp_path / "data" / "library.sqlite3", folders)
        opened.append(library)
        return library, FolderList(library, settings)

    yield open_one
    for library in opened:
        library.close()


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_an_unplugged_drive_keeps_its_models_and_is_named(
    open_roots: OpenRoots, tmp_path: Path
) -> None:
    drive = make(tmp_path / "media" / "STICK" / "models")
    make(tmp_path / "models")
    library, folders = open_roots()
    folders.add(str(drive))
    model = register(library, place_file(drive, "a.gguf", b"aaaa"))
    assert (model.missing, model.first_file.folder) == (False, str(drive))
    (tmp_path / "media" / "STICK").rename(tmp_path / "in the drawer")
    library, folders = open_roots()
    away = library.find(model.id)
    assert (away.missing, away.away, away.is_usable) == (True, str(drive), False)
    assert away.verified_at == model.verified_at
    check = library.verify(model.id, CancelToken(), no_report)
    assert check.state is FileState.MISSING
    assert library.find(model.id).verified_at == model.verified_at, "nothing was found out"
    with pytest.raises(NotFound) as error:
        library.remove(model.id)
    assert (error.value.what, error.value.name) == ("folder", str(drive))
    assert folders.all()[1].condition is FolderCondition.MISSING
    (tmp_path / "in the drawer").rename(tmp_path / "media" / "STICK")
    assert library.find(model.id) == model


def test_loading_from_a_missing_folder_says_which(open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(offline=True)
    mine = put(home.models / "mine.gguf", gguf("a"))
    model = home.install(str(mine))
    assert model.first_file.folder == str(home.models)
    home.models.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound) as error:
        home.installer.clear_installed(home.library.find(model.id))
    assert (error.value.what, error.value.name) == ("folder", str(home.models))


def test_files_are_kept_relative_to_the_innermost_folder(
    open_roots: OpenRoots, tmp_path: Path
) -> None:
    outer, inner = make(tmp_path / "big"), make(tmp_path / "big" / "inner")
    library, folders = open_roots()
    model = register(library, place_file(inner, "a.gguf", b"aaaa"))
    assert model.first_file.folder == ""
    for folder in (outer, inner):
        folders.add(str(folder))
    assert library.find(model.id).first_file.folder == str(inner)
    assert folders.all()[2].inside == str(outer)
    folders.remove(str(inner))
    kept = library.find(model.id)
    assert (kept.first_file.folder, kept.missing) == (str(outer), False)
    folders.remove(str(outer))
    kept = library.find(model.id)
    assert (kept.first_file.folder, kept.missing) == ("", False)
    assert kept.first_file.location == model.first_file.location


def test_a_settings_file_that_was_lost_loses_no_model(
    open_roots: OpenRoots, tmp_path: Path, settings: SettingsStore
) -> None:
    drive = make(tmp_path / "drive")
    library, folders = open_roots()
    folders.add(str(drive))
    model = register(library, place_file(drive, "a.gguf", b"aaaa"))
    settings.save(Settings())
    library, folders = open_roots()
    assert library.find(model.id).is_usable
    folders.add(str(drive))
    assert library.find(model.id) == model


def test_a_home_that_was_moved_takes_its_models_along(tmp_path: Path) -> None:
    """As on a stick that another machine mounts under another name."""
    home = tmp_path / "STICK"
    library = Library(home / "library.sqlite3", home / "models")
    model = register(library, place_file(home / "models", "a.gguf", b"aaaa"))
    library.close()
    home.rename(tmp_path / "STICK1")
    home = tmp_path / "STICK1"
    library = Library(home / "library.sqlite3", home / "models")
    found = library.find(model.id)
    assert (found.missing, found.first_file.folder) == (False, str(home / "models"))
    assert library.remove(model.id).freed_bytes == 4
    library.close()


def test_another_standard_folder_leaves_the_files_of_the_first_where_they_are(
    tmp_path: Path,
) -> None:
    """As with HF_HOME set for one day."""
    database = tmp_path / "library.sqlite3"
    library = Library(database, tmp_path / "one")
    model = register(library, place_file(tmp_path / "one", "a.gguf", b"aaaa"))
    library.close()
    library = Library(database, make(tmp_path / "two"))
    found = library.find(model.id)
    assert (found.missing, found.first_file.folder) == (False, "")
    library.close()
    library = Library(database, tmp_path / "one")
    assert library.find(model.id) == model
    library.close()


def test_what_cannot_be_a_model_folder_is_refused(
    open_roots: OpenRoots, tmp_path: Path, settings: SettingsStore
) -> None:
    standard, one = make(tmp_path / "models"), make(tmp_path / "one")
    put(tmp_path / "file", "x")
    (tmp_path / "alias").symlink_to(one)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    _, folders = open_roots()
    folders.add(str(one))
    for path, word in (
        (tmp_path / "file", "file"),
        (tmp_path / "nothing", "missing"),
        (tmp_path / "loop", "missing"),
        (one, "listed"),
        (tmp_path / "alias", "listed"),
        (standard, "listed"),
        (tmp_path / "one" / ".." / "one", "listed"),
    ):
        with pytest.raises(UsageError, match=f"why='{word}'"):
            folders.add(str(path))
    assert settings.current.model_folders == [str(one)]
    with pytest.raises(UsageError, match="standard"):
        folders.remove(str(standard))
    with pytest.raises(UsageError, match="not_listed"):
        folders.choose(str(tmp_path / "nothing"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_folders_that_may_not_be_read_or_written(
    open_roots: OpenRoots, tmp_path: Path, settings: SettingsStore
) -> None:
    closed, fixed = make(tmp_path / "closed"), make(tmp_path / "fixed")
    _, folders = open_roots()
    folders.add(str(fixed))
    closed.chmod(0)
    fixed.chmod(0o555)
    try:
        with pytest.raises(UsageError, match="unreadable"):
            folders.add(str(closed))
        with pytest.raises(UsageError, match="unwritable"):
            folders.choose(str(fixed))
        assert not folders.all()[1].look.is_writable
    finally:
        closed.chmod(0o755)
        fixed.chmod(0o755)


def test_a_file_that_cannot_be_taken_from_read_only_media_stays_in_the_list(
    open_roots: OpenRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, _ = open_roots()
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"aaaa"))

    def refuse(self: Path, target: object) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UsageError, match="Read-only"):
        library.remove(model.id)
    monkeypatch.undo()
    assert library.find(model.id) == model


@pytest.mark.parametrize("state", ["missing", "file", "twice", "inside", "loop", "empty name"])
def test_it_always_opens(
    state: str, open_roots: OpenRoots, tmp_path: Path, settings: SettingsStore
) -> None:
    real = make(tmp_path / "real")
    place = place_file(real, "a.gguf", b"aaaa")
    put(tmp_path / "file", "x")
    (tmp_path / "alias").symlink_to(real)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    listed = {
        "missing": [tmp_path / "gone"], "file": [tmp_path / "file"],
        "twice": [real, tmp_path / "alias", real], "inside": [real, real / "models--ada--Small"],
        "loop": [tmp_path / "loop"], "empty name": [Path("\0")],
    }[state]  # fmt: skip
    settings.save(replace(Settings(), model_folders=[str(path) for path in listed]))
    library, folders = open_roots()
    assert library.problem is None
    model = register(library, place)
    found = {folder.path: folder.condition for folder in folders.all()}
    report = folders.scan(CancelToken(), no_report)
    assert (report.files, report.missing, report.strangers) == (1, 0, ())
    assert library.find(model.id).is_usable
    expected = {
        "missing": FolderCondition.MISSING, "file": FolderCondition.NOT_A_FOLDER,
        "loop": FolderCondition.MISSING, "empty name": FolderCondition.MISSING,
    }  # fmt: skip
    if state in expected:
        assert list(found.values())[1:] == [expected[state]]
    if state == "twice":
        assert found[str(tmp_path / "alias")] is FolderCondition.SAME
        assert len(found) == 3


def test_a_folder_that_does_not_answer_is_waited_for_once() -> None:
    answer = threading.Event()
    asked: list[str] = []

    def look(path: str) -> FolderLook:
        asked.append(path)
        if path == "/net":
            answer.wait(60)
        return FolderLook(FolderCondition.HERE, (1, len(path)))

    patient = PatientLook(look, patience_seconds=0.05)
    folders = ModelFolders(Path("/models"), lambda: ["/net"], str, patient)
    for _ in range(3):
        assert [f.condition for f in folders.all()] == [
            FolderCondition.HERE, FolderCondition.SILENT
        ]  # fmt: skip
    assert asked.count("/net") == 1
    answer.set()
    patient._stuck["/net"].join(10)
    assert folders.all()[1].is_here


def test_an_empty_mount_point_is_not_taken_for_the_drive(tmp_path: Path) -> None:
    """The folder stays when a drive or network folder is unmounted from it."""
    drive, mounted = make(tmp_path / "nas"), [True]

    def look(path: str) -> FolderLook:
        found = look_at(path)
        if path != str(drive):
            return found
        return replace(found, mount=path if mounted[0] else "/", is_empty=not mounted[0])

    def opened() -> Library:
        folders = ModelFolders(make(tmp_path / "models"), lambda: [str(drive)], str, look)
        return Library(tmp_path / "library.sqlite3", folders)

    library = opened()
    place = place_file(drive, "a.gguf", b"aaaa")
    model = register(library, place)
    place.repo_folder.rename(tmp_path / "what the server has")
    mounted[0] = False
    for again in (library, opened()):
        found = again.find(model.id)
        assert (found.away, found.verified_at) == (str(drive), model.verified_at)
        assert again.folders.all()[1].condition is FolderCondition.NOT_MOUNTED
        with pytest.raises(NotFound):
            again.folders.require_here(drive)
        with pytest.raises(NotFound):
            again.remove(model.id)
        report = scan(again, CancelToken(), no_report)
        assert (report.away, report.missing) == (1, 0)
    (tmp_path / "what the server has").rename(place.repo_folder)
    mounted[0] = True
    assert library.find(model.id) == model
    again.close()
    library.close()


def test_downloads_go_to_the_chosen_folder(open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(offline=True)
    chosen: list[str] = []
    second = make(tmp_path / "second")
    listed = [str(second)]
    home.library.folders = ModelFolders(
        home.models, lambda: listed, lambda: chosen[0] if chosen else ""
    )
    home.library.follow_folders()
    source = put(tmp_path / "mine.gguf", gguf("a"))
    assert home.prepare(str(source)).folder == str(home.models)
    chosen.append(str(second))
    offer = replace(home.prepare(str(source)), placing="copy")
    assert (offer.folder, offer.free_bytes > 0) == (str(second), True)
    model = _install(home, offer)
    assert model.first_file.folder == str(second)
    assert home.library.remove(model.id).freed_bytes == source.stat().st_size
    second.rename(tmp_path / "unplugged")
    with pytest.raises(NotFound):
        _install(home, offer)
    assert not second.exists(), "nothing is made under the mount point of a missing drive"
    listed.clear()
    assert _install(home, offer).first_file.folder == str(home.models)


def _install(home: Home, offer: InstallOffer) -> InstalledModel:
    slip = home.installer.accept(offer, AcceptanceForm("Ada"))
    return home.installer.install(offer, slip, CancelToken(), no_report)


def test_the_same_bytes_in_two_folders_are_each_ones_own(
    open_roots: OpenRoots, tmp_path: Path
) -> None:
    drive = make(tmp_path / "drive")
    library, folders = open_roots()
    folders.add(str(drive))
    here = place_file(tmp_path / "models", "a.gguf", b"aaaa")
    there = place_file(drive, "a.gguf", b"aaaa")
    one = register(library, here)
    two = library.register(
        replace(model_of(there), id="other"), LICENSE, frozenset({str(there.snapshot)})
    )
    assert library.remove(two.id).freed_bytes == 4
    assert here.snapshot.read_bytes() == b"aaaa"
    assert not there.blob.exists()
    assert library.find(one.id).is_usable


@pytest.mark.parametrize(
    ("path", "drive"),
    [
        ("/media/ada/STICK/models", "STICK"), ("/run/media/ada/STICK", "STICK"),
        ("/Volumes/Big Disk/x", "Big Disk"), ("/mnt/nas/models", "nas"), ("/home/ada/models", ""),
        ("/media", ""),
    ],
)  # fmt: skip
def test_drives_are_named_by_where_systems_show_them(path: str, drive: str) -> None:
    assert drive_of(path) == drive


def test_places() -> None:
    folders = ["/a", "/a/b", "/"]
    assert split_place("/a/b/c.gguf", folders) == ("/a/b", "c.gguf")
    assert split_place("/ab/c.gguf", folders[:2]) == ("", "/ab/c.gguf")
    assert split_place("/ab/c.gguf", folders) == ("/", "ab/c.gguf")
    assert split_place("/a/../c.gguf", folders[:2]) == ("", "/a/../c.gguf")


def test_look_at_a_folder(tmp_path: Path) -> None:
    look = look_at(str(tmp_path))
    assert (look.condition, look.is_writable) == (FolderCondition.HERE, True)
    assert 0 < look.free_bytes <= look.total_bytes
