"""Languages that code can be colored in. Each is prepared once, outside of the window's thread.

Pygments puts hundreds of patterns together for a language, which would be felt in an answer.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QObject, QThreadPool, Signal

_MOST_LANGUAGES = 200


class Lexers(QObject):
    """`prepared` when a language that was asked for can be used, in the window's thread."""

    prepared = Signal()
    NOT_YET: Final = object()

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Any] = {}

    def get(self, language: str) -> Any:
        """A Pygments lexer, None where there is none, NOT_YET while it is being prepared."""
        name = language.lower()
        if name not in self._known:
            if len(self._known) >= _MOST_LANGUAGES:
                return None
            self._known[name] = self.NOT_YET
            QThreadPool.globalInstance().start(lambda: self._prepare(name))
        return self._known[name]

    def _prepare(self, name: str) -> None:
        from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
        from pygments.util import ClassNotFound  # type: ignore[import-untyped]

        try:
            lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False)
            # The patterns are put together with the first text.
            list(lexer.get_tokens("x = 1\n"))
        except ClassNotFound:
            lexer = None
        self._known[name] = lexer
        self.prepared.emit()


LEXERS = Lexers()
