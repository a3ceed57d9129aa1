"""The chat page over real conversations and a scripted engine, for tests."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from openshelf.chat.session import Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.tasks import CancelToken, PoolTaskRunner
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.fakes.downloads import installed_model
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file
from tests.fakes.services import FakeLibrary, fake_services

MODEL = installed_model("SmolLM2-135M-Instruct", "Q4_1")


class ChatWindow:
    """The chat page over real conversations and a scripted engine."""

    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.engine = FakeEngine(*(Answer((word,)) for word in ("first", "second", "third")))
        self.error: Exception | None = None
        self.chats = Chats(
            ConversationStore(folder / "chats.sqlite3"), self.engine, self._open_model
        )
        self.services = fake_services(
            folder,
            runner=PoolTaskRunner(4),
            changes={"chats": self.chats, "library": FakeLibrary(MODEL)},
        )
        self.bridge = TaskBridge(self.services.runner)
        self.page = ChatPage(self.services, self.bridge)
        self.page.resize(1172, 860)
        qtbot.addWidget(self.page)
        self.page.show()
        self.page.open_page()
        qtbot.waitUntil(lambda: self.page.chosen.installed is not None)

    def _open_model(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        if self.error is not None:
            raise self.error
        file = model_file()
        return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)

    @property
    def items(self) -> tuple[UserBubble | AnswerView, ...]:
        return self.page.area.transcript.items

    def question(self, at: int) -> UserBubble:
        item = self.items[at]
        assert isinstance(item, UserBubble)
        return item

    def answer(self, at: int) -> AnswerView:
        item = self.items[at]
        assert isinstance(item, AnswerView)
        return item

    def texts(self) -> list[str]:
        return [
            item.text if isinstance(item, UserBubble) else item.text.toPlainText()
            for item in self.items
        ]

    def wait_for(self, *texts: str) -> None:
        """Shown, kept, and ready for what comes next."""
        self.qtbot.waitUntil(
            lambda: (
                self.texts() == list(texts)
                and all(item.isVisible() and item.message_id is not None for item in self.items)
                and self.question(0).edit_button.isEnabled()
            )
        )

    def write(self, text: str) -> None:
        edit = self.page.area.composer.edit
        edit.setPlainText(text)
        self.qtbot.keyClick(edit, Qt.Key.Key_Return)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier) -> None:
        self.qtbot.keyClick(self.page.area.composer.edit, key, modifier)

    def close(self) -> None:
        self.services.runner.close()
        self.bridge.close()
        self.bridge.deleteLater()
        self.chats.close()

    def labels(self) -> list[str]:
        """The list of conversations, headings too."""
        return [row.label for row in self.page.model.rows]

    def open_row(self, label: str) -> None:
        self.page.panel.view.setCurrentIndex(self.page.model.index(self.labels().index(label)))
