"""`downloads` as somebody at a terminal steers it: order, limits, hours."""

from __future__ import annotations

from typing import Any

import pytest

from openshelf.cli.main import run_command
from openshelf.library.install import InstallOffer
from openshelf.library.saved_downloads import new_download, save_download
from openshelf.paths import find_paths
from openshelf.settings import SettingsStore
from tests.cli.test_library_commands import ask
from tests.fakes.example_data import example_offer


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def ids() -> list[str]:
    """Three downloads that rest."""
    folder = find_paths().downloads
    folder.mkdir(parents=True)
    found = []
    for name in "abc":
        offer: InstallOffer = example_offer(f"ada/{name}-GGUF:Q8_0")
        saved = new_download(offer)
        save_download(folder, saved)
        found.append(saved.id)
    return found


def order(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    status, answer = ask(capsys, "downloads", *words)
    assert status == 0, answer
    return [download["id"] for download in answer["downloads"]]


def test_order(capsys: pytest.CaptureFixture[str], ids: list[str]) -> None:
    first, second, third = ids
    assert order(capsys) == [first, second, third]
    assert order(capsys, "next", third) == [third, first, second]
    assert order(capsys, "up", "ada/b-GGUF:Q8_0") == [third, second, first]
    assert order(capsys, "down", third) == [second, third, first]
    assert order(capsys) == [second, third, first], "it is kept"
    for words, code in ((("next",), 2), (("next", "nothing"), 4)):
        assert ask(capsys, "downloads", *words)[0] == code


def test_limit_of_one(capsys: pytest.CaptureFixture[str], ids: list[str]) -> None:
    status, answer = ask(capsys, "downloads", "limit", "500kB/s", "--for", ids[1])
    assert (status, answer["limit_bytes_per_second"]) == (0, 500_000)
    listed = ask(capsys, "downloads")[1]["downloads"]
    assert [each["limit_bytes_per_second"] for each in listed] == [None, 500_000, None]
    assert ask(capsys, "downloads", "limit", "none", "--for", ids[1])[0] == 0
    listed = ask(capsys, "downloads")[1]["downloads"]
    assert {each["limit_bytes_per_second"] for each in listed} == {None}
    assert ask(capsys, "downloads", "limit", "1MB/s", "--for", "nothing")[0] == 4
    assert ask(capsys, "downloads", "limit", "--for", ids[1])[0] == 2


def test_limit_and_hours_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    def facts(*words: str) -> dict[str, Any]:
        status, answer = ask(capsys, "downloads", *words)
        assert status == 0, answer
        found: dict[str, Any] = answer["bandwidth"]
        return found

    nothing = {"limit_bytes_per_second": None, "hours": None, "outside": "limit"}
    assert facts("limit") == nothing
    assert facts("limit", "2MB/s") == {**nothing, "limit_bytes_per_second": 2_000_000}
    with_hours = facts("hours", "22:00-7:00", "--pause")
    assert (with_hours["hours"], with_hours["outside"]) == ("22:00-07:00", "pause")
    settings = SettingsStore(find_paths().settings_file).current
    assert settings.bandwidth.limit == 2_000_000
    assert settings.bandwidth.pauses
    assert facts("hours", "none")["hours"] is None
    assert facts("limit", "none") == nothing
    for words in (("limit", "fast"), ("limit", "0MB/s"), ("hours", "25:00-07:00"), ("hours", "x")):
        status, answer = ask(capsys, "downloads", *words)
        assert (status, answer["error"]["code"]) == (2, "usage")


def test_for_people(capsys: pytest.CaptureFixture[str], ids: list[str]) -> None:
    assert run_command(["downloads", "hours", "22:00-07:00"]) == 0
    assert run_command(["downloads", "limit", "2MB/s"]) == 0
    said = capsys.readouterr().out
    assert "no limit from 22:00 to 07:00, else at most 2.0 MB/s" in said
    assert run_command(["downloads"]) == 0
    said = capsys.readouterr().out
    assert "LIMIT" in said
    assert "else at most 2.0 MB/s" in said
