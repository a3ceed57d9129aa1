"""Facts beside a conversation: the parts of its context, how the last answer went, the engine."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.chat.conversation import AnswerFigures
from openshelf.chat.interface import ModelInMemory
from openshelf.ui.models.chat_facts import ContextParts
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import Segment
from openshelf.ui.widgets.containers import KeyValueRow
from openshelf.ui.widgets.text import SectionLabel, TextLabel
from openshelf.units import format_duration

ATTACHED, WRITTEN, ANSWER = "weights", "kv_cache", "compute_buffer"
"""Colors of the parts of a context, from left to right."""


def context_segments(parts: ContextParts, whole: int) -> list[Segment]:
    shares = ((parts.attached, ATTACHED), (parts.written, WRITTEN), (parts.answer, ANSWER))
    return [Segment(count / max(1, whole), token) for count, token in shares if count]


class ContextLegend(QWidget):
    """The parts of the context in words; hidden where they are not known."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.words = TextLabel("", TextRole.TINY, "muted", wrap=True)
        column.addWidget(self.words)
        self.hide()

    def show_parts(self, parts: ContextParts | None) -> None:
        self.setVisible(parts is not None)
        if parts is None:
            return
        attached = self.tr("files {count}").format(count=_count(parts.attached))
        if parts.is_guessed:
            attached = self.tr("files ≈ {count}").format(count=_count(parts.attached))
        said = [
            attached if parts.attached else "",
            self.tr("messages {count}").format(count=_count(parts.written)),
            self.tr("last answer {count}").format(count=_count(parts.answer)),
        ]
        self.words.setText(" · ".join(part for part in said if part))


class AnswerFacts(QWidget):
    """How the last answer went; hidden before there is one that was counted."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 10)
        column.setSpacing(4)
        column.addWidget(SectionLabel(self.tr("Last answer")))
        self.rows: dict[str, KeyValueRow] = {}
        for key, name in (
            ("speed", self.tr("Writing")),
            ("reading", self.tr("Reading")),
            ("first", self.tr("First token")),
            ("cached", self.tr("Reused")),
        ):
            self.rows[key] = row = KeyValueRow(name, "")
            column.addWidget(row)
        self.rows["cached"].setToolTip(
            self.tr("Tokens that were in the context already and were not read again")
        )
        self.hide()

    def show_figures(self, figures: AnswerFigures | None) -> None:
        self.setVisible(figures is not None)
        if figures is None:
            return
        values = {
            "speed": self._rate(figures.decode_tokens_per_second, ".1f"),
            "reading": self._rate(figures.prefill_tokens_per_second, ",.0f"),
            "first": format_duration(figures.first_token_seconds),
            "cached": self.tr("{cached} of {read}").format(
                cached=_count(figures.cached_tokens), read=_count(figures.prompt_tokens)
            ),
        }
        for key, text in values.items():
            self.rows[key].set_value(text)

    def _rate(self, per_second: float, form: str) -> str:
        """Nothing was timed where it is 0: a single token, or a server that tells no times."""
        if not per_second:
            return self.tr("not timed")
        return self.tr("{rate} tok/s").format(rate=format(per_second, form))


class EngineLine(TextLabel):
    """Which engine build holds the model, and on what; hidden where nothing is loaded here."""

    def __init__(self) -> None:
        super().__init__("", TextRole.TINY, "muted", wrap=True)
        self.hide()

    def show_engine(self, loaded: ModelInMemory | None) -> None:
        here = loaded if loaded is not None and loaded.server is None else None
        said = [] if here is None else [here.engine_version, *here.devices]
        self.setText(" · ".join(part for part in said if part))
        self.setToolTip(here.engine_folder if here is not None else "")
        self.setVisible(bool(self.text()))


def _count(tokens: int) -> str:
    return f"{tokens:,}"
