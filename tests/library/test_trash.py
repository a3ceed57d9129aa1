"""Removing goes through the trash, and what lies there can be taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.errors import NoTrash
from openshelf.library.removal import Removed
from openshelf.library.store import Library
from tests.library.test_store import place_file, register


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "data" / "library.sqlite3", tmp_path / "models")
    yield opened
    opened.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_removed_lies_in_the_trash_by_the_models_name(
    library: Library, tmp_path: Path, trash: Path
) -> None:
    models = tmp_path / "models"
    first = place_file(models, "a.gguf", b"a" * 100)
    second = place_file(models, "b.gguf", b"b" * 200)
    stranger = place_file(models, "c.gguf", b"c" * 300)
    model = register(library, first, second)
    assert library.remove(model.id) == Removed(300, 300)
    assert names(trash) == ["a.gguf", "b.gguf"]
    assert (trash / "b.gguf").read_bytes() == b"b" * 200
    assert not first.blob.exists()
    assert stranger.snapshot.read_bytes() == b"c" * 300
    assert library.installed() == ()


def test_for_good_leaves_nothing_in_the_trash(
    library: Library, tmp_path: Path, trash: Path
) -> None:
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"a" * 100))
    assert library.remove(model.id, for_good=True) == Removed(100, 0)
    assert not trash.exists()
    assert names(tmp_path / "models") == []


def test_what_others_need_and_what_lies_twice_does_not_go_there(
    library: Library, tmp_path: Path, trash: Path
) -> None:
    models = tmp_path / "models"
    shared = place_file(models, "a.gguf", b"a" * 100)
    other = place_file(models, "a.gguf", b"a" * 100, commit="2" * 40)
    linked = place_file(models, "twice.gguf", b"t" * 100)
    os.link(linked.blob, tmp_path / "second name")
    model = register(library, shared, linked)
    register(library, other)
    assert library.remove(model.id) == Removed()
    assert not trash.exists()
    assert other.snapshot.read_bytes() == b"a" * 100
    assert (tmp_path / "second name").read_bytes() == b"t" * 100


def test_without_a_trash_the_model_stays_as_it_was(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", "/.Trash-0")

    monkeypatch.setattr("send2trash.send2trash", refuse)
    place = place_file(tmp_path / "models", "sub/a.gguf", b"a" * 100)
    model = register(library, place)
    with pytest.raises(NoTrash) as error:
        library.remove(model.id)
    assert error.value.detail == "Permission denied"
    assert library.installed() == (model,)
    assert place.snapshot.is_symlink()
    assert place.snapshot.resolve() == place.blob
    assert place.snapshot.read_bytes() == b"a" * 100
    assert library.remove(model.id, for_good=True) == Removed(100, 0)


def test_half_of_a_model_in_the_trash_is_a_model_that_is_missing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []

    def refuse_second(path: str) -> None:
        if gone:
            raise OSError(28, "No space left on device")
        gone.append(path)
        Path(path).unlink()

    monkeypatch.setattr("send2trash.send2trash", refuse_second)
    models = tmp_path / "models"
    first, second = place_file(models, "a.gguf", b"a" * 100), place_file(models, "b.gguf", b"b")
    model = register(library, first, second)
    with pytest.raises(NoTrash):
        library.remove(model.id)
    assert library.find(model.id).missing
    assert second.snapshot.read_bytes() == b"b"
    assert library.remove(model.id, for_good=True) == Removed(1, 0)


_REALLY = """
import sys
from pathlib import Path
from openshelf.library.trash import send_to_trash
send_to_trash(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the trash of freedesktop.org")
def test_the_real_trash_knows_where_a_file_came_from(tmp_path: Path) -> None:
    path = tmp_path / "models" / "Small-Q4_K_M.gguf"
    path.parent.mkdir()
    path.write_bytes(b"GGUF")
    home = tmp_path / "person"
    home.mkdir()
    own = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    subprocess.run(
        [sys.executable, "-c", _REALLY, str(path)], env={**os.environ, **own}, check=True
    )
    assert not path.exists()
    trash = home / "data" / "Trash"
    assert (trash / "files" / path.name).read_bytes() == b"GGUF"
    assert path.name in (trash / "info" / f"{path.name}.trashinfo").read_text(encoding="utf-8")
