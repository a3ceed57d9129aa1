"""`openshelf roots`, and what `list` and `chat` say of folders that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.cli.main import run_command
from openshelf.paths import find_paths
from tests.cli.test_library_commands import ask, imported
from tests.library.foreign import gguf, put

pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_entering_choosing_and_leaving_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = tmp_path / "media" / "STICK"
    drive.mkdir(parents=True)
    status, answer = ask(capsys, "roots")
    (standard,) = answer["roots"]
    assert (status, standard["path"]) == (0, str(find_paths().models))
    assert (standard["state"], standard["default"], standard["standard"]) == ("missing", True, True)
    status, answer = ask(capsys, "roots", "add", str(drive))
    assert [root["path"] for root in answer["roots"]] == [standard["path"], str(drive)]
    assert ask(capsys, "roots", "add", str(drive))[1]["error"]["code"] == "usage"
    assert ask(capsys, "roots", "add")[0] == 2
    status, answer = ask(capsys, "roots", "default", str(drive))
    assert [root["default"] for root in answer["roots"]] == [False, True]
    model_id = imported(capsys, put(drive / "mine.gguf", gguf("a")))
    (listed,) = ask(capsys, "list")[1]["models"]
    assert (listed["folder"], listed["folder_missing"]) == (str(drive), False)
    status, answer = ask(capsys, "roots", "remove", str(drive))
    assert [root["default"] for root in answer["roots"]] == [True]
    (listed,) = ask(capsys, "list")[1]["models"]
    assert (listed["id"], listed["folder"], listed["missing"]) == (model_id, None, False)


def test_a_missing_folder_is_told_and_its_models_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    ask(capsys, "roots", "add", str(drive))
    model_id = imported(capsys, put(drive / "mine.gguf", gguf("a")))
    drive.rename(tmp_path / "moved")
    status, answer = ask(capsys, "roots")
    assert (status, answer["roots"][1]["state"], answer["roots"][1]["models"]) == (0, "missing", 1)
    run_command(["roots"])
    assert "NOT HERE" in capsys.readouterr().out
    run_command(["list"])
    assert f"not here: {drive}" in capsys.readouterr().out
    status, answer = ask(capsys, "chat", model_id, "--prompt", "hi")
    assert (status, answer["error"]["code"]) == (4, "not_found")
    assert str(drive) in answer["error"]["message"]
    assert ask(capsys, "remove", model_id)[0] == 4
    status, answer = ask(capsys, "roots", "scan")
    assert (status, answer["away"], answer["settled"]["found"]) == (0, 1, [])
    ask(capsys, "roots", "add", str(tmp_path / "moved"))
    put(tmp_path / "moved" / "other.gguf", gguf("b"))
    status, answer = ask(capsys, "roots", "scan")
    place = str(tmp_path / "moved" / "mine.gguf")
    assert answer["settled"]["found"] == [{"id": model_id, "location": place}]
    assert [found["path"] for found in answer["not_in_library"]] == [
        str(tmp_path / "moved" / "other.gguf")
    ]
    (listed,) = ask(capsys, "list")[1]["models"]
    assert (listed["id"], listed["missing"]) == (model_id, False)
    run_command(["roots", "scan"])
    assert "Not in the library" in capsys.readouterr().out


def test_damage_that_a_look_finds_has_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path / "mine.gguf", gguf("a"))
    model_id = imported(capsys, path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    status, answer = ask(capsys, "roots", "scan")
    assert (status, answer["settled"]["damaged"]) == (7, [model_id])
    assert ask(capsys, "roots", "scan", "x")[0] == 2


def test_list_tells_what_lies_twice_and_what_each_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path / "mine.gguf", gguf("a"))
    imported(capsys, path)
    status, answer = ask(capsys, "list")
    assert status == 0
    assert answer["models"][0]["disk_bytes"] == path.stat().st_size
    assert answer["disk"] == {
        "used_bytes": path.stat().st_size, "duplicate_bytes": 0, "duplicates": []
    }  # fmt: skip
