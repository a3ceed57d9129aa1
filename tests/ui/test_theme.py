"""Colors can be read, fonts are there, and a scheme reaches every widget."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFontDatabase, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot
from typing_extensions import override

from openshelf.ui.theme import Scheme, TextRole, apply_theme, color, current_tokens, font
from openshelf.ui.theme.icons import pixmap
from openshelf.ui.theme.scheme import tokens_for
from openshelf.ui.theme.stylesheet import build_stylesheet
from openshelf.ui.theme.tokens import (
    DARK,
    HIGH_CONTRAST,
    LIGHT,
    SHAPE_PAIRS,
    TEXT_PAIRS,
    Tokens,
    contrast,
)

ALL = (LIGHT, DARK, HIGH_CONTRAST)


class StyleCounter(QLabel):
    """Counts how often it is given a style."""

    changes = 0

    @override
    def changeEvent(self, event: QEvent) -> None:
        self.changes += event.type() is QEvent.Type.StyleChange
        super().changeEvent(event)


_COLORS = st.from_regex(r"#[0-9A-F]{6}", fullmatch=True)


@pytest.mark.parametrize("tokens", ALL, ids=lambda tokens: tokens.name)
@pytest.mark.parametrize("pair", TEXT_PAIRS, ids="-on-".join)
def test_text_has_enough_contrast(tokens: Tokens, pair: tuple[str, str]) -> None:
    text, ground = (getattr(tokens, name) for name in pair)
    assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize("tokens", ALL, ids=lambda tokens: tokens.name)
@pytest.mark.parametrize("pair", SHAPE_PAIRS, ids="-on-".join)
def test_shapes_have_enough_contrast(tokens: Tokens, pair: tuple[str, str]) -> None:
    shape, ground = (getattr(tokens, name) for name in pair)
    assert contrast(shape, ground) >= 3


def test_high_contrast_is_higher() -> None:
    assert contrast(HIGH_CONTRAST.ink, HIGH_CONTRAST.surface) == pytest.approx(21)
    for text in ("muted", "faint", "accent", "warning", "bad", "good"):
        assert contrast(getattr(HIGH_CONTRAST, text), HIGH_CONTRAST.surface) >= 7


@given(_COLORS, _COLORS)
def test_contrast_is_symmetric_and_bounded(first: str, second: str) -> None:
    assert contrast(first, second) == contrast(second, first)
    assert 1 <= contrast(first, second) <= 21.001


def test_contrast_knows_the_extremes() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1


@pytest.mark.parametrize("tokens", ALL, ids=lambda tokens: tokens.name)
def test_stylesheet_is_filled_and_short(tokens: Tokens) -> None:
    sheet = build_stylesheet(tokens)
    assert "$" not in sheet
    assert len(sheet.splitlines()) < 150
    known = {str(value).upper() for value in dataclasses.asdict(tokens).values()}
    strange = {found.upper() for found in re.findall(r"#[0-9A-Fa-f]{6}", sheet)} - known
    assert len(strange) == 1, "only the mixed hover color is not a token"


def test_apply_theme_sets_palette_and_tokens(themed_app: QApplication) -> None:
    assert apply_theme(themed_app, Scheme.DARK) is DARK
    try:
        assert current_tokens() is DARK
        window = themed_app.palette().color(QPalette.ColorRole.Window)
        assert window.name().upper() == DARK.background
        assert color("accent").name().upper() == DARK.accent
    finally:
        apply_theme(themed_app, Scheme.LIGHT)


def test_what_is_on_already_dresses_nothing_anew(themed_app: QApplication, qtbot: QtBot) -> None:
    """Every change of a setting comes by here, and dressing all widgets takes seconds."""
    label = StyleCounter()
    qtbot.addWidget(label)
    label.show()
    label.changes = 0
    apply_theme(themed_app, Scheme.LIGHT)
    assert label.changes == 0
    try:
        apply_theme(themed_app, Scheme.DARK)
        assert 0 < label.changes <= 3
    finally:
        apply_theme(themed_app, Scheme.LIGHT)


@pytest.mark.parametrize("word", ["system", "purple", ""])
def test_an_unknown_scheme_is_the_systems(themed_app: QApplication, word: str) -> None:
    # Offscreen the system has no scheme, which means light.
    assert apply_theme(themed_app, word) is LIGHT


def test_the_shipped_fonts_are_used(themed_app: QApplication) -> None:
    assert {"Regular", "Bold"} <= set(QFontDatabase.styles("Inter"))
    assert QFontInfo(font(TextRole.BODY)).family() == "Inter"
    assert QFontInfo(font(TextRole.TITLE)).bold()
    assert QFontInfo(font(TextRole.CODE)).fixedPitch()


def test_roles_are_told_apart(themed_app: QApplication) -> None:
    assert font(TextRole.SMALL) != font(TextRole.CODE)
    assert len(set(TextRole)) == 11


def test_icons_take_the_color_of_the_scheme(themed_app: QApplication) -> None:
    image = pixmap("close", "bad", 16).toImage()
    middle = image.pixelColor(image.width() // 2, image.height() // 2)
    assert middle.name().upper() == LIGHT.bad


class SystemHints:
    """What a system says of its colors."""

    def __init__(self, scheme: Qt.ColorScheme, contrast: Qt.ContrastPreference) -> None:
        self.colorScheme = lambda: scheme
        self.contrastPreference = lambda: contrast

    def accessibility(self) -> SystemHints:
        return self


@pytest.mark.parametrize(
    ("scheme", "contrast", "expected"),
    [
        (Qt.ColorScheme.Unknown, Qt.ContrastPreference.NoPreference, LIGHT),
        (Qt.ColorScheme.Light, Qt.ContrastPreference.NoPreference, LIGHT),
        (Qt.ColorScheme.Dark, Qt.ContrastPreference.NoPreference, DARK),
        (Qt.ColorScheme.Dark, Qt.ContrastPreference.HighContrast, HIGH_CONTRAST),
        (Qt.ColorScheme.Unknown, Qt.ContrastPreference.HighContrast, HIGH_CONTRAST),
        (Qt.ColorScheme.Light, Qt.ContrastPreference.HighContrast, LIGHT),
    ],
)
def test_the_systems_colors_and_contrast_are_followed(
    themed_app: QApplication,
    monkeypatch: pytest.MonkeyPatch,
    scheme: Qt.ColorScheme,
    contrast: Qt.ContrastPreference,
    expected: Tokens,
) -> None:
    monkeypatch.setattr(QApplication, "styleHints", lambda: SystemHints(scheme, contrast))
    assert tokens_for(Scheme.SYSTEM) is expected
