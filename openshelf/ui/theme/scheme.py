"""Which set of colors is on, and how it gets onto the application.

`QStyleHints.setColorScheme` does nothing offscreen or on bare X11, so our own palette is always
set; the system's scheme is only asked and followed.
"""

from __future__ import annotations

import enum
import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QStyleHints
from PySide6.QtWidgets import QApplication

from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.theme.palette import build_palette
from openshelf.ui.theme.stylesheet import build_stylesheet
from openshelf.ui.theme.tokens import DARK, HIGH_CONTRAST, LIGHT, Tokens


class Scheme(enum.StrEnum):
    """What the person chose (Settings.theme)."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"
    HIGH_CONTRAST = "high_contrast"


_current: Tokens = LIGHT
_APPLIED = "openshelf_theme"
"""A property of the application: the name of the tokens that it wears."""


def current_tokens() -> Tokens:
    """The colors that are on; asked in each paintEvent, so that a change needs no bookkeeping."""
    return _current


def color(name: str) -> QColor:
    """The current color of a token (`color("accent")`)."""
    return QColor(getattr(_current, name))


def tokens_for(scheme: Scheme) -> Tokens:
    """The tokens of a scheme; SYSTEM asks the system and falls back to light.

    Where the system wants high contrast it gets ours, which is dark, unless its own is light.
    """
    match scheme:
        case Scheme.LIGHT:
            return LIGHT
        case Scheme.DARK:
            return DARK
        case Scheme.HIGH_CONTRAST:
            return HIGH_CONTRAST
        case Scheme.SYSTEM:
            return _tokens_of_system(QApplication.styleHints())


def _tokens_of_system(hints: QStyleHints) -> Tokens:
    known = hints.colorScheme()
    contrast = hints.accessibility().contrastPreference()
    if contrast is Qt.ContrastPreference.HighContrast and known is not Qt.ColorScheme.Light:
        return HIGH_CONTRAST
    return DARK if known is Qt.ColorScheme.Dark else LIGHT


def apply_theme(app: QApplication, scheme: Scheme | str) -> Tokens:
    """Put fonts, palette and style sheet of `scheme` onto the application; may be called again.

    Load the fonts (fonts.load_fonts) before the first call. Text that is no scheme means SYSTEM.
    What is on already is left alone: each call would dress every widget anew, for seconds.
    """
    global _current
    known = set(Scheme)
    tokens = tokens_for(Scheme(scheme) if scheme in known else Scheme.SYSTEM)
    _current = tokens
    applied = app.property(_APPLIED)
    if applied == tokens.name:
        return tokens
    if applied is None:
        # The name of a style that carries a style sheet is empty, so it cannot be asked later.
        if sys.platform != "darwin" and app.style().name() != "fusion":
            app.setStyle("Fusion")
        app.setFont(font(TextRole.BODY))
    app.setProperty(_APPLIED, tokens.name)
    if applied is not None:
        # Taken off and put on anew, a sheet costs a fifth of what exchanging it costs.
        app.setStyleSheet("")
    app.setPalette(build_palette(tokens))
    app.setStyleSheet(build_stylesheet(tokens))
    return tokens
