"""Starter models of installed packages stand in the import list, and lead to the install sheet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from openshelf.cli.main import run_command
from openshelf.library.starter import GEMMA, Starter
from openshelf.ui.models import import_facts
from tests.fakes.downloads import installed_model
from tests.ui.library_page import Setting


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Starter:
    starter = Starter(GEMMA, (tmp_path / "g3" / "data" / "part00", tmp_path / "part01"))
    command = "openshelf.cli.commands.import_command"
    monkeypatch.setattr(import_facts, "find_starters", lambda: (starter,))
    monkeypatch.setattr(f"{command}.find_starters", lambda: (starter,))
    monkeypatch.setattr(import_facts, "usual_places", lambda *_: ())
    monkeypatch.setattr(f"{command}.usual_places", lambda *_: ())
    return starter


@pytest.mark.usefixtures("here")
def test_a_starter_can_be_imported(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    setting = make_library()
    setting.page.import_button.click()
    card = setting.page.imports
    qtbot.waitUntil(lambda: len(card.rows.rows) == 1)
    assert "put into the model folder" in card.words.text()
    (row,) = card.rows.rows
    assert (row.name.text(), row.words.text()) == (GEMMA.file, "PyPI · 253 MB")
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        row.button.click()
    assert asked.args == [GEMMA.target]


@pytest.mark.usefixtures("here")
def test_one_that_is_installed_says_so(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    model = installed_model()
    (file,) = model.files
    setting = make_library(replace(model, files=(replace(file, sha256=GEMMA.sha256),)))
    setting.page.import_button.click()
    qtbot.waitUntil(lambda: len(setting.page.imports.rows.rows) == 1)
    (row,) = setting.page.imports.rows.rows
    assert row.button.text() == "In the library"
    assert not row.button.isEnabled()


def test_the_command_names_its_target(here: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["import", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["starters"] == [GEMMA.target]
    (place,) = answer["places"]
    assert (place["origin"], place["path"]) == ("package", str(here.path.parent))
    assert run_command(["import"]) == 0
    assert f"openshelf install {GEMMA.target}" in capsys.readouterr().out
