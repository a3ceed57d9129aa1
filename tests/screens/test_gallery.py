"""Every scene of the gallery holds at both sizes, in English and stretched: no text is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from openshelf.ui.translation import install_translators
from openshelf.ui.widgets import Chip, TextLabel
from tests.screens.clipping import clipped_texts
from tests.screens.gallery import FULL, SCENES, SMALL, Scene, draw_contact_sheet, draw_scene

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture(params=["en", "long", "rtl"])
def language(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    load_fonts()
    apply_theme(qapp, Scheme.LIGHT)
    before = qapp.layoutDirection()
    pseudo = "" if request.param == "en" else request.param
    translator = install_translators(qapp, pseudo)
    yield request.param
    QCoreApplication.removeTranslator(translator)
    qapp.setLayoutDirection(before)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("size", [FULL, SMALL], ids=["full", "small"])
def test_no_text_is_cut(
    qapp: QApplication, qtbot: QtBot, language: str, scene: Scene, size: object
) -> None:
    image, problems = draw_scene(qapp, scene, size, may_elide=language != "en")  # type: ignore[arg-type]
    assert problems == []
    assert (image.width(), image.height()) == (size.width(), size.height())  # type: ignore[attr-defined]


def test_the_check_finds_what_is_cut(qapp: QApplication, qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    column = QVBoxLayout(holder)
    label, chip = TextLabel("a text that is much too long"), Chip("and a chip")
    for widget in (label, chip):
        column.addWidget(widget)
    holder.show()
    qtbot.waitUntil(lambda: clipped_texts(holder, may_elide=False) == [])
    label.setFixedWidth(20)
    qtbot.waitUntil(lambda: len(clipped_texts(holder, may_elide=False)) == 1)
    chip.setFixedWidth(30)
    qtbot.waitUntil(lambda: len(clipped_texts(holder, may_elide=False)) == 2)
    assert len(clipped_texts(holder, may_elide=True)) == 1


def test_the_contact_sheet_holds_all(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    image, _ = draw_scene(qapp, SCENES[0], SMALL)
    image.save(str(tmp_path / "a.png"))
    draw_contact_sheet([tmp_path / "a.png"] * 7, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
