"""Translators: English plurals, and the pseudo-long and right-to-left ones that test layouts.

`OPENSHELF_PSEUDO=long` stretches every text by about a third, `rtl` mirrors the window too.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication, Qt, QTranslator
from PySide6.QtWidgets import QApplication
from typing_extensions import override

_FIELD = re.compile(r"(\{[^}]*\}|%n|%\d|&\w)")
_STRETCHED = str.maketrans("aeiouAEIOU", "äëïöüÄËÏÖÜ")


class EnglishPlurals(QTranslator):
    """Turns `%n model(s)` into `%n model` or `%n models`; everything else stays as written."""

    @override
    def isEmpty(self) -> bool:
        return False

    @override
    def translate(
        self, context: str, sourceText: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        # An empty text would be shown as such: what is not ours to change is handed back.
        if n < 0 or ("(s)" not in sourceText and n < 1000):
            return sourceText
        text = sourceText.replace("(s)", "" if n == 1 else "s")
        # Qt writes the digits of %n without the separators that every other figure has.
        return text.replace("%n", f"{n:,}") if n >= 1000 else text


class PseudoLong(EnglishPlurals):
    """English with accents and a third more length, fields left alone."""

    @override
    def translate(
        self, context: str, sourceText: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        text = super().translate(context, sourceText, disambiguation, n)
        parts = _FIELD.split(text)
        words = "".join(
            part if _FIELD.fullmatch(part) else part.translate(_STRETCHED) for part in parts
        )
        return f"{words} {'ẋ' * max(1, len(text) // 3)}" if len(text) > 1 else words


def install_translators(app: QApplication, pseudo: str = "") -> QTranslator:
    """Put the translator for this run onto the application; `pseudo` is "", long or rtl."""
    translator = PseudoLong(app) if pseudo in ("long", "rtl") else EnglishPlurals(app)
    QCoreApplication.installTranslator(translator)
    if pseudo == "rtl":
        app.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    return translator
