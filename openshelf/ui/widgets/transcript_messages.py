"""An answer in a conversation, with everything that is said above and below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.chat.answer_parts import split_answer
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.errors import DoesNotFit, EngineDied, EngineFailed, OpenshelfError
from openshelf.reasons import Reason
from openshelf.ui.sentences import error_text, reason_sentence
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import Meter
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.pace import Pace
from openshelf.ui.widgets.scrolled import Column
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.text_view import TextView
from openshelf.ui.widgets.tool_calls_view import ToolCallsView
from openshelf.ui.widgets.transcript_footer import AnswerFooter
from openshelf.units import format_duration

_SPEED_MILLISECONDS = 500


def _details(data: Mapping[str, object]) -> str:
    """The facts behind a failure, one to a line, the engine's last words at the end."""
    known = {key: value for key, value in data.items() if value not in (None, "", 0, (), [])}
    known.pop("code", None)
    tail = str(known.pop("tail", "")).strip()
    lines = [f"{key}: {value}" for key, value in known.items()]
    return "\n".join([*lines, tail] if tail else lines)


class ReasoningFold(QWidget):
    """What a model thought before it answered, folded away; hidden where there is none."""

    link_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._button = LinkButton(muted=True)
        self._button.setCheckable(True)
        self._button.toggled.connect(self._on_toggled)
        self._inside = QVBoxLayout()
        self._inside.setContentsMargins(16, 0, 0, 0)
        self._view: TextView | None = None
        column.addWidget(self._button)
        column.addLayout(self._inside)
        self._text, self._is_thinking = "", False
        self._seconds: float | None = None
        self.hide()

    def show_reasoning(self, text: str, *, is_thinking: bool, seconds: float | None = None) -> None:
        """`seconds` is how long it took, None where that is not known."""
        self._text, self._is_thinking, self._seconds = text, is_thinking, seconds
        self.setVisible(bool(text) or is_thinking)
        self._show()

    def _show(self) -> None:
        opened = self._button.isChecked()
        words = self._words()
        self._button.setText(f"{'▾' if opened else '▸'} {words}")
        self._button.setAccessibleName(words)
        if opened or self._view is not None:
            self.view.setVisible(opened)
        if opened:
            self.view.set_text(self._text)
            if not self._is_thinking:
                self.view.finish()

    def _words(self) -> str:
        if self._is_thinking:
            return self.tr("Thinking…")
        if self._seconds is None:
            return self.tr("Thoughts before the answer")
        return self.tr("Thought for {time}").format(time=format_duration(self._seconds))

    @property
    def view(self) -> TextView:
        """Made when it is first opened: most thoughts are never read."""
        if self._view is None:
            self._view = TextView(self.tr("What the model thought"), "muted")
            self._view.link_pressed.connect(self.link_pressed)
            self._inside.addWidget(self._view)
        return self._view

    @property
    def thoughts(self) -> str:
        """As they were written, folded or not."""
        return self._text

    @property
    def is_open(self) -> bool:
        return self._button.isChecked()

    def unfold(self) -> None:
        self._button.setChecked(True)

    def _on_toggled(self, _: bool) -> None:  # noqa: FBT001
        self._show()


class AnswerView(Column):
    """An answer: thoughts, text, what is going on, what went wrong, figures.

    `is_kept` is false as long as nothing of it was stored; `message_id` is None until its place
    in the conversation is known.
    """

    link_pressed = Signal(str)
    send_again_pressed = Signal()
    regenerate_pressed = Signal(int)
    continue_pressed = Signal(int)
    version_chosen = Signal(int)
    shorter_context_wanted = Signal(int)
    """Before `send_again_pressed`: with a context of so many tokens."""

    def __init__(self) -> None:
        super().__init__()
        self._shorter = 0
        self.is_kept = False
        self._rate: float | None = None
        self._speed = Pace(_SPEED_MILLISECONDS, self._show_speed, self)
        self.message_id: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.reasoning = ReasoningFold()
        self.text = TextView(self.tr("Answer"))
        self.text.hide()
        self.calls = ToolCallsView()
        self.activity = TextLabel("", TextRole.SMALL, "muted")
        self.progress = Meter(self.tr("Progress"), thickness=4)
        self.progress.setMaximumWidth(240)
        self.notice = InlineNotice()
        self.footer = AnswerFooter()
        for widget in (
            self.reasoning, self.text, self.calls, self.activity, self.progress, self.notice,
            self.footer,
        ):  # fmt: skip
            column.addWidget(widget)
        self.activity.hide()
        self.progress.hide()
        self.text.link_pressed.connect(self._on_link_pressed)
        self.reasoning.link_pressed.connect(self._on_link_pressed)
        self.notice.acted.connect(self._on_notice_acted)
        self.footer.regenerate_pressed.connect(self._on_regenerate)
        self.footer.continue_pressed.connect(self._on_continue)
        self.footer.pager.version_chosen.connect(self.version_chosen)

    def show_place(self, message: Message, versions: Sequence[int], *, is_last: bool) -> None:
        """Which message it is, its versions' ids, and whether nothing follows it."""
        self.message_id = message.id
        self.footer.show_place(message, versions, is_last=is_last)

    def set_usable(self, usable: bool) -> None:  # noqa: FBT001
        """Whether other answers can be asked for."""
        self.footer.set_usable(usable)

    def show_waiting(self) -> None:
        """The question is on its way."""
        self._speed.forget()
        self._shorter = 0
        self.notice.hide()
        self.footer.hide()
        self._set_activity(self.tr("Getting ready…"), None)

    def show_live(self, live: LiveAnswer, model_name: str) -> None:
        """The answer so far."""
        if live.phase is not LivePhase.GENERATING:
            self._speed.forget()
        self._show_text(live.text, live.thought_seconds)
        match live.phase:
            case LivePhase.LOADING:
                words = self.tr("Loading {model}…").format(model=model_name)
                self._set_activity(words, live.fraction, live.seconds_left)
            case LivePhase.PROMPT:
                words = self.tr("Reading the conversation…")
                self._set_activity(words, live.fraction, live.seconds_left)
            case LivePhase.GENERATING:
                self._rate = live.tokens_per_second
                self._speed.ask()

    def _show_speed(self) -> None:
        rate = self._rate
        words = self.tr("{rate} tok/s").format(rate=f"{rate:.1f}") if rate else ""
        self._set_activity(words, None)

    def show_message(self, message: Message) -> None:
        """The answer as it was stored."""
        self.is_kept = True
        self._shorter = 0
        self._show_text(message.content, message.thought_seconds)
        self.text.finish()
        self._end_activity("")
        parts = split_answer(message.content)
        self.reasoning.show_reasoning(
            parts.reasoning, is_thinking=False, seconds=message.thought_seconds
        )
        self.footer.show_message(message)
        self._show_detail(message)

    def show_error(self, error: BaseException) -> None:
        """Nothing could be asked, or the answer was lost: say why, offer to try again."""
        self.text.finish()
        self._end_activity("")
        details = _details(error.data()) if isinstance(error, OpenshelfError) else repr(error)
        self._shorter = error.context_length if isinstance(error, DoesNotFit) else 0
        self._show_failure(error_text(error), details)

    def show_stopped(self) -> None:
        self.text.finish()
        self._end_activity(self.tr("Stopped."))

    def _show_text(self, text: str, seconds: float | None) -> None:
        parts = split_answer(text)
        self.reasoning.show_reasoning(
            parts.reasoning, is_thinking=parts.is_thinking, seconds=seconds
        )
        self.calls.show_calls(parts.calls)
        if parts.calls and not parts.answer:
            self.text.set_text("")
            self.text.hide()
        elif parts.answer or self.text.content.source:
            self.text.show()
            self.text.set_text(parts.answer)

    def _left(self, seconds: int) -> str:
        """In whole seconds: tenths that change all the time cannot be read."""
        time = format_duration(seconds) if seconds >= 10 else f"{seconds} s"
        return self.tr("{time} left").format(time=time)

    def _end_activity(self, words: str) -> None:
        self._speed.forget()
        self._set_activity(words, None)

    def _set_activity(
        self, words: str, fraction: float | None, seconds_left: float | None = None
    ) -> None:
        if fraction is None and words == self.activity.text() and self.progress.isHidden():
            return
        if fraction is not None:
            words = f"{words} {fraction * 100:.0f} %"
            if seconds_left is not None:
                words = f"{words} · {self._left(ceil(seconds_left))}"
            self.progress.set_fraction(fraction)
        self.activity.setText(words)
        self.activity.setVisible(bool(words))
        self.progress.setVisible(fraction is not None)

    def _show_detail(self, message: Message) -> None:
        """What is to be said of how the answer ended; with a way on where it failed."""
        detail = dict(message.detail or {})
        failed = message.state in (MessageState.ENGINE_DIED, MessageState.FAILED)
        if "code" in detail:
            text = reason_sentence(Reason(str(detail["code"]), detail))
        elif message.state is MessageState.ENGINE_DIED:
            text = error_text(EngineDied())
        elif message.state is MessageState.FAILED:
            why, what = str(detail.get("why") or ""), str(detail.get("detail") or "")
            text = error_text(EngineFailed(why=why, detail=what))
        else:
            self.notice.hide()
            return
        if failed:
            self._show_failure(text, _details(detail))
        else:
            self.notice.show_message(text, NoticeLevel.INFO)

    def _show_failure(self, text: str, details: str) -> None:
        button = self.tr("Send again")
        if self._shorter:
            button = self.tr("Use {count} tokens").format(count=f"{self._shorter:,}")
        self.notice.show_message(text, NoticeLevel.BAD, button=button, details=details)

    def _on_regenerate(self) -> None:
        if self.message_id is not None:
            self.regenerate_pressed.emit(self.message_id)

    def _on_continue(self) -> None:
        if self.message_id is not None:
            self.continue_pressed.emit(self.message_id)

    def _on_link_pressed(self, address: str) -> None:
        self.link_pressed.emit(address)

    def _on_notice_acted(self) -> None:
        if self._shorter:
            self.shorter_context_wanted.emit(self._shorter)
        self.send_again_pressed.emit()
