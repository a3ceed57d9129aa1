"""Settings: kept, mended value by value, and never a reason not to start."""

from __future__ import annotations

import threading
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import openshelf.settings
from openshelf.durable import replace_file
from openshelf.errors import UnwritableFile, UsageError
from openshelf.settings import Settings, SettingsStore, read_settings, write_settings
from tests.conftest import ExpectedLogs

FILE = "settings.toml"


def test_defaults_without_a_file(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / FILE)
    assert store.current == Settings()
    assert store.problem is None
    assert list(tmp_path.iterdir()) == []


def test_save_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "config" / FILE
    store = SettingsStore(path)
    heard: list[Settings] = []
    store.announcer.subscribe(heard.append)
    changed = replace(store.current, theme="dark", download_limit=2_000_000, offline=True)
    store.save(changed)
    assert heard == [changed]
    assert SettingsStore(path).current == changed
    assert [file.name for file in path.parent.iterdir()] == [FILE]
    assert store.change(download_limit=None).download_limit is None
    assert SettingsStore(path).current.download_limit is None


def test_what_was_adopted_holds_at_once_and_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / FILE
    store = SettingsStore(path)
    heard: list[Settings] = []
    store.announcer.subscribe(heard.append)
    store.close()
    assert list(tmp_path.iterdir()) == [], "nothing was chosen"
    for theme in ("dark", "light"):
        store.adopt(replace(store.current, theme=theme))
    assert [settings.theme for settings in heard] == ["dark", "light"]
    assert not path.exists()
    store.close()
    assert SettingsStore(path).current.theme == "light"


def test_a_choice_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is being written another one is made; both come to the disk, in their order."""
    path, themes = tmp_path / FILE, []
    writing, disk = threading.Event(), threading.Event()

    def slowly(path: Path, content: bytes) -> None:
        writing.set()
        assert disk.wait(30)
        themes.append(tomllib.loads(content.decode())["theme"])
        replace_file(path, content)

    monkeypatch.setattr(openshelf.settings, "replace_file", slowly)
    store = SettingsStore(path)
    store.adopt(replace(store.current, theme="dark"))
    first, second = (threading.Thread(target=store.write) for _ in range(2))
    first.start()
    assert writing.wait(30)
    store.adopt(replace(store.current, theme="light"))
    second.start()
    assert store.current.theme == "light"
    disk.set()
    for thread in (first, second):
        thread.join(30)
    assert themes == ["dark", "light"]


def test_what_could_not_be_written_is_tried_once_more_at_the_end(
    tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs("the file cannot be read")
    expected_logs("not kept")
    folder = tmp_path / "config"
    folder.write_text("no folder")
    store = SettingsStore(folder / FILE)
    store.adopt(replace(store.current, theme="dark"))
    with pytest.raises(UnwritableFile):
        store.write()
    store.close()
    folder.unlink()
    store.close()
    assert SettingsStore(folder / FILE).current.theme == "dark"


def test_unknown_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text('theme = "dark"\nfuture = 5\n[window]\nsize = [1, 2]\n')
    store = SettingsStore(path)
    store.change(theme="light")
    data = tomllib.loads(path.read_text())
    assert data["future"] == 5
    assert data["window"] == {"size": [1, 2]}
    assert data["theme"] == "light"


@pytest.mark.parametrize(
    "line",
    [
        'theme = "pink"', "theme = 5", 'offline = "yes"', "offline = 1", "context_length = -1",
        "context_length = true", 'context_length = "8192"', "download_limit = 0",
        'prefer = ["speed"]', 'kv_type = "q2"', 'hub_endpoint = "ftp://x"', "version = 0",
    ],
)  # fmt: skip
def test_one_bad_value_falls_back_alone(
    tmp_path: Path, line: str, expected_logs: ExpectedLogs
) -> None:
    expected_logs(f"the value of {line.split()[0]} is not usable")
    path = tmp_path / FILE
    path.write_text(f'{line}\nca_file = "/ca.pem"\n')
    assert SettingsStore(path).current == Settings(ca_file="/ca.pem")


@pytest.mark.parametrize("content", [b"theme = ", b"\xff\xfe", b"\0" * 100, b"<html>"])
def test_broken_file_is_put_aside_and_kept(
    tmp_path: Path, content: bytes, expected_logs: ExpectedLogs
) -> None:
    expected_logs("the file cannot be read")
    path = tmp_path / FILE
    path.write_bytes(content)
    store = SettingsStore(path)
    assert store.current == Settings()
    assert store.problem is not None
    (aside,) = tmp_path.iterdir()
    assert ".broken-" in aside.name
    assert aside.read_bytes() == content
    store.change(theme="dark")
    assert SettingsStore(path).current.theme == "dark"


def test_place_that_cannot_be_read_or_written(tmp_path: Path, expected_logs: ExpectedLogs) -> None:
    expected_logs("the file cannot be read")
    (tmp_path / FILE).mkdir()
    store = SettingsStore(tmp_path / FILE)
    with pytest.raises(UnwritableFile):
        store.change(theme="dark")
    assert store.current.theme == "dark", "in force all the same"
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_bad_values_are_not_saved(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / FILE)
    with pytest.raises(UsageError):
        store.change(theme="pink")
    assert store.current.theme == "system"


@given(
    st.builds(
        Settings,
        theme=st.sampled_from(["system", "light", "dark"]),
        offline=st.booleans(),
        ca_file=st.text(st.characters(exclude_categories=("Cs",)), max_size=50),
        download_limit=st.none() | st.integers(1024, 1 << 40),
        context_length=st.integers(256, 1 << 20),
    )
)
def test_round_trip(settings: Settings) -> None:
    assert read_settings(write_settings(settings)) == settings


def test_values_of_the_hardware_are_kept_with_what_a_later_version_wrote(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text('[hardware.gpu-x]\nfree_bytes = 5\ncolor = "red"\n[hardware.cpu]\n')
    store = SettingsStore(path)
    assert store.current.hardware == {"gpu-x": {"free_bytes": 5, "color": "red"}, "cpu": {}}
    store.change(theme="dark")
    assert tomllib.loads(path.read_text())["hardware"]["gpu-x"]["color"] == "red"
    store.change(hardware={})
    assert "hardware" not in tomllib.loads(path.read_text())


@pytest.mark.parametrize("line", ["hardware = 5", "[hardware]\ncpu = 5", "hardware = [1]"])
def test_values_of_the_hardware_in_another_shape_are_passed_over(
    tmp_path: Path, line: str, expected_logs: ExpectedLogs
) -> None:
    expected_logs("settings: the value of hardware is not usable.*")
    path = tmp_path / FILE
    path.write_text(f"{line}\n[other]\nx = 1\n")
    assert SettingsStore(path).current.hardware == {}
