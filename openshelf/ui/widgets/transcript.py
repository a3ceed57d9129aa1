"""The scrolling column of a conversation; follows the end only while the person is there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Message, Role
from openshelf.ui.models.chat_facts import ShownBranch
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.scrolled import Column, Scrolled
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble

COLUMN_WIDTH = 720
FIRST_MESSAGES = 10
"""So many are laid out when a conversation is opened; earlier ones as the person comes near."""
NEXT_MESSAGES = 4
MORE_MESSAGES = 40
"""So many more where they are asked for."""
_NEAR_THE_END = 24
_HOLD_MILLISECONDS = 300
NO_BRANCH = ShownBranch(0, (), {})


def _is_known(item: UserBubble | AnswerView) -> bool:
    """Something of it is in the store; a question that could not even be kept stays in view."""
    return item.message_id is not None or (isinstance(item, AnswerView) and item.is_kept)


def _is_view_of(item: UserBubble | AnswerView, message: Message) -> bool:
    if item.message_id is not None:
        return item.message_id == message.id
    if isinstance(item, UserBubble):
        return message.role is Role.USER and item.text == message.content.strip()
    return message.role is Role.ASSISTANT


class Transcript(QScrollArea):
    """`send_again_requested` carries the question's text, `link_pressed` an address, the others
    a message's id, `edit_requested` with the new words."""

    link_pressed = Signal(str)
    send_again_requested = Signal(str)
    shorter_context_wanted = Signal(int)
    edit_requested = Signal(int, str)
    regenerate_requested = Signal(int)
    continue_requested = Signal(int)
    version_requested = Signal(int)
    came_into_view = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Conversation"))
        # Tab goes to its messages, which scroll it too and show where the keyboard is.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.viewport().setAutoFillBackground(False)
        self._content = content = Scrolled()
        self._row = row = QHBoxLayout(content)
        row.setContentsMargins(24, 20, 24, 12)
        row.addStretch(1)
        column = Column()
        column.setMaximumWidth(COLUMN_WIDTH)
        self._column = QVBoxLayout(column)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(18)
        self._earlier_button = LinkButton(muted=True)
        self._earlier_button.hide()
        self._column.addWidget(self._earlier_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        row.addWidget(column, 1000)
        row.addStretch(1)
        self.setWidget(content)
        self._earlier: list[Message] = []
        self._items: list[UserBubble | AnswerView] = []
        self._follows = True
        self._is_usable = True
        self._branch = NO_BRANCH
        # Qt moves what is painted only where nothing waits to be painted anew; so that comes first.
        self._to_the_end = QTimer(self)
        self._to_the_end.setSingleShot(True)
        self._to_the_end.setInterval(0)
        self._filling = QTimer(self)
        self._filling.setSingleShot(True)
        self._filling.setInterval(0)
        self._held: tuple[UserBubble | AnswerView, int] | None = None
        self._holding = QTimer(self)
        self._holding.setSingleShot(True)
        self._holding.setInterval(_HOLD_MILLISECONDS)
        self._connect()

    def _connect(self) -> None:
        self._filling.timeout.connect(self._on_filling)
        self._earlier_button.clicked.connect(self._on_earlier_clicked)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        self._to_the_end.timeout.connect(self._on_painted)

    @property
    def items(self) -> tuple[UserBubble | AnswerView, ...]:
        return tuple(self._items)

    @property
    def earlier(self) -> tuple[Message, ...]:
        """What is not laid out yet, above the first item."""
        return tuple(self._earlier)

    @property
    def last_answer(self) -> AnswerView | None:
        return next((i for i in reversed(self._items) if isinstance(i, AnswerView)), None)

    def show_branch(self, branch: ShownBranch) -> None:
        """A conversation from its stored messages, at its end."""
        self.clear()
        self._branch = branch
        self._earlier = list(branch.messages[:-FIRST_MESSAGES])
        for message in branch.messages[-FIRST_MESSAGES:]:
            self._insert(self._view_of(message), len(self._items))
        self._show_earlier_button()
        self.follow_end()

    def adopt(self, branch: ShownBranch) -> None:
        """The same conversation with what is known of it now; what is shown stays untouched
        where it is the same."""
        shown = branch.messages[len(self._earlier) :]
        pairs = list(zip(self._items, shown, strict=False))
        rest = self._items[len(shown) :]
        if (
            len(shown) > len(self._items)
            or any(not _is_view_of(item, message) for item, message in pairs)
            or any(_is_known(item) for item in rest)
        ):
            self.show_branch(branch)
            return
        self._branch = branch
        for item, message in pairs:
            self._place(item, message)

    def cut_from(self, message_id: int) -> None:
        """Take this message and all below it away: another version comes in its place."""
        at = next((i for i, item in enumerate(self._items) if item.message_id == message_id), None)
        for item in tuple(self._items[at:] if at is not None else ()):
            self._remove(item)

    def item_of(self, message_id: int) -> UserBubble | AnswerView | None:
        return next((item for item in self._items if item.message_id == message_id), None)

    def question_before(self, message_id: int) -> str:
        """The words of the question that this answer answers."""
        at = next((i for i, item in enumerate(self._items) if item.message_id == message_id), 0)
        questions = [item.text for item in self._items[:at] if isinstance(item, UserBubble)]
        return questions[-1] if questions else ""

    def reveal(self, message_id: int) -> None:
        """Bring a message into view, also an earlier one."""
        while any(message.id == message_id for message in self._earlier):
            self._on_earlier_clicked()
        item = self.item_of(message_id)
        if item is not None:
            self.bring_into_view(item)

    def focus_versions(self, message_id: int) -> None:
        item = self.item_of(message_id)
        if item is not None:
            (item.pager if isinstance(item, UserBubble) else item.footer.pager).take_focus()

    def set_usable(self, usable: bool) -> None:  # noqa: FBT001
        """Whether other words and other answers can be asked for: not while one is written."""
        self._is_usable = usable
        for item in self._items:
            item.set_usable(usable)

    # --- by keyboard ------------------------------------------------------------------------------

    def edit_last_question(self) -> None:
        questions = [item for item in self._items if isinstance(item, UserBubble)]
        if questions:
            questions[-1].begin_edit()

    def regenerate_last_answer(self) -> None:
        last = self._items[-1] if self._items else None
        if isinstance(last, AnswerView) and last.message_id is not None and self._is_usable:
            self.regenerate_requested.emit(last.message_id)

    def turn_version(self, by: int) -> None:
        """Another version of the message nearest to the end that has several."""
        for item in reversed(self._items):
            pager = item.pager if isinstance(item, UserBubble) else item.footer.pager
            if pager.has_others:
                pager.turn(by)
                return

    def clear(self) -> None:
        for item in tuple(self._items):
            self._remove(item)
        self._earlier = []
        self._show_earlier_button()

    def attached_to(self, message_id: int) -> tuple[Attachment, ...]:
        item = self.item_of(message_id)
        return item.attachments if isinstance(item, UserBubble) else ()

    def add_question(self, text: str, attached: Sequence[Attachment] = ()) -> UserBubble:
        bubble = UserBubble(text, attached)
        self._insert(bubble, len(self._items))
        self.follow_end()
        return bubble

    def begin_answer(self) -> AnswerView:
        answer = AnswerView()
        self._insert(answer, len(self._items))
        return answer

    def follow_end(self) -> None:
        self._follows = True
        self._holding.stop()
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.came_into_view.emit()

    def _view_of(self, message: Message) -> UserBubble | AnswerView:
        item: UserBubble | AnswerView
        if message.role is Role.USER:
            item = UserBubble(message.content, message.attachments)
        else:
            item = AnswerView()
            item.show_message(message)
        self._place(item, message)
        return item

    def _place(self, item: UserBubble | AnswerView, message: Message) -> None:
        is_last = message is self._branch.messages[-1]
        item.show_place(message, self._branch.versions_of(message), is_last=is_last)

    def _insert(self, item: UserBubble | AnswerView, index: int) -> None:
        self._items.insert(index, item)
        self._column.insertWidget(index + 1, item)
        item.set_usable(self._is_usable)
        item.version_chosen.connect(self.version_requested)
        if isinstance(item, UserBubble):
            item.edited.connect(self.edit_requested)
            item.edit_began.connect(self._on_edit_began)
            return
        item.link_pressed.connect(self._on_link_pressed)
        item.shorter_context_wanted.connect(self.shorter_context_wanted)
        item.send_again_pressed.connect(self._on_send_again)
        item.regenerate_pressed.connect(self.regenerate_requested)
        item.continue_pressed.connect(self.continue_requested)

    def _remove(self, item: UserBubble | AnswerView) -> None:
        self._items.remove(item)
        self._column.removeWidget(item)
        item.hide()
        item.deleteLater()

    def _show_earlier_button(self) -> None:
        count = len(self._earlier)
        self._earlier_button.setText(self.tr("Show %n earlier message(s)", "", count))
        self._earlier_button.setAccessibleName(self._earlier_button.text())
        self._earlier_button.setVisible(count > 0)

    def _on_earlier_clicked(self) -> None:
        self._follows = False
        self._lay_out_earlier(MORE_MESSAGES)

    def _lay_out_earlier(self, count: int) -> None:
        """What is seen stays where it is, also while the new ones find their height."""
        first = self._items[0] if self._items else None
        if first is not None:
            self._held = first, self._top_of(first)
            self._holding.start()
        shown, self._earlier = self._earlier[-count:], self._earlier[:-count]
        for index, message in enumerate(shown):
            self._insert(self._view_of(message), index)
        self._show_earlier_button()
        self._lay_out_now(self._items[: len(shown)])
        self._hold()

    def _lay_out_now(self, new: Sequence[UserBubble | AnswerView]) -> None:
        """Before anything is painted. A layout shows what is new in it only later, and the height
        of a text follows from its width: so it takes two rounds."""
        for item in new:
            item.show()
        for _ in range(2):
            for item in new:
                layout = item.layout()
                if layout is not None:
                    layout.activate()
            self._column.activate()
            self._row.activate()
            QCoreApplication.sendEvent(self._content, QEvent(QEvent.Type.LayoutRequest))

    def _top_of(self, item: UserBubble | AnswerView) -> int:
        return item.mapTo(self.viewport(), QPoint(0, 0)).y()

    def _hold(self) -> None:
        if self._held is None or not self._holding.isActive():
            return
        item, top = self._held
        if item in self._items:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() + self._top_of(item) - top)

    def _on_send_again(self) -> None:
        answer = self.sender()
        if not isinstance(answer, AnswerView) or answer not in self._items:
            return
        before = self._items[: self._items.index(answer)]
        question = next((i for i in reversed(before) if isinstance(i, UserBubble)), None)
        if question is None:
            return
        answer.notice.button.hide()
        if not answer.is_kept:
            # The question will be shown again, and there is nothing of an answer to keep.
            self._remove(question)
            self._remove(answer)
        self.send_again_requested.emit(question.text)

    def _on_edit_began(self) -> None:
        bubble = self.sender()
        if isinstance(bubble, UserBubble):
            self.bring_into_view(bubble)

    def bring_into_view(self, item: UserBubble | AnswerView) -> None:
        self._follows = False
        self._holding.stop()
        # A layout shows what is new in it only later, and until then it takes no focus.
        item.show()
        self._row.activate()
        self.ensureWidgetVisible(item, 0, _NEAR_THE_END)

    def bring_place_into_view(self, view: QWidget, place: QRect) -> None:
        """A part of `view`, in its own coordinates."""
        self._follows = False
        self._holding.stop()
        self._row.activate()
        where = view.mapTo(self._content, place.center())
        self.ensureVisible(where.x(), where.y(), 0, self.viewport().height() // 4)

    def _on_link_pressed(self, address: str) -> None:
        self.link_pressed.emit(address)

    def _is_near_the_top(self) -> bool:
        return self.verticalScrollBar().value() < self.viewport().height() // 2

    def _on_filling(self) -> None:
        if self._to_the_end.isActive():
            self._filling.start()
        elif self._earlier and self.isVisible() and self._is_near_the_top():
            self._lay_out_earlier(NEXT_MESSAGES)

    def _on_scrolled(self, value: int) -> None:
        if self._earlier and self._is_near_the_top():
            self._filling.start()
        self._follows = value >= self.verticalScrollBar().maximum() - _NEAR_THE_END

    def _on_range_changed(self, _: int, __: int) -> None:
        self._hold()
        if self._earlier and self._is_near_the_top():
            self._filling.start()
        if self._follows:
            self._to_the_end.start()

    def _on_painted(self) -> None:
        if self._follows:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
