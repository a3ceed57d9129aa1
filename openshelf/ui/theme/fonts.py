"""The two fonts that come with the app, and the few sizes in which text appears."""

from __future__ import annotations

import enum
import logging
from functools import cache

from PySide6.QtGui import QFont, QFontDatabase

from openshelf import paths

log = logging.getLogger(__name__)

TEXT_FAMILY = "Inter"
CODE_FAMILY = "DejaVu Sans Mono"
_FILES = ("Inter-Regular.otf", "Inter-SemiBold.otf", "Inter-Bold.otf", "DejaVuSansMono.ttf")


class TextRole(enum.StrEnum):
    """The kinds of text that exist."""

    BODY = "body"
    STRONG = "strong"
    SMALL = "small"
    SMALL_STRONG = "small_strong"
    TINY = "tiny"
    CHIP = "chip"
    SECTION = "section"
    HEADING = "heading"
    CARD_TITLE = "card_title"
    TITLE = "title"
    CODE = "code"


_SIZES: dict[TextRole, tuple[int, QFont.Weight]] = {
    TextRole.BODY: (13, QFont.Weight.Normal),
    TextRole.STRONG: (13, QFont.Weight.DemiBold),
    TextRole.SMALL: (12, QFont.Weight.Normal),
    TextRole.SMALL_STRONG: (12, QFont.Weight.DemiBold),
    TextRole.TINY: (11, QFont.Weight.Normal),
    TextRole.CHIP: (11, QFont.Weight.DemiBold),
    TextRole.SECTION: (11, QFont.Weight.Normal),
    TextRole.HEADING: (14, QFont.Weight.Bold),
    TextRole.CARD_TITLE: (15, QFont.Weight.Bold),
    TextRole.TITLE: (20, QFont.Weight.Bold),
    TextRole.CODE: (12, QFont.Weight.Normal),
}
"""Device independent pixels and weight."""


def load_fonts() -> None:
    """Add the shipped fonts to this application; without them the system's own are used."""
    folder = paths.resources() / "fonts"
    for name in _FILES:
        if QFontDatabase.addApplicationFont(str(folder / name)) < 0:
            log.warning("the font %s could not be loaded", name)


@cache
def font(role: TextRole, *, tabular: bool = False) -> QFont:
    """The font for a role; `tabular` gives all digits one width, for columns of figures."""
    pixels, weight = _SIZES[role]
    if role is TextRole.CODE:
        result = QFont([CODE_FAMILY, "monospace"])
        result.setStyleHint(QFont.StyleHint.Monospace)
    else:
        result = QFont([TEXT_FAMILY, "Noto Sans", "sans-serif"])
        result.setStyleHint(QFont.StyleHint.SansSerif)
    result.setPixelSize(pixels)
    result.setWeight(weight)
    if role is TextRole.TITLE:
        result.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, -0.3)
    if tabular:
        result.setFeature(QFont.Tag("tnum"), 1)
    return result
