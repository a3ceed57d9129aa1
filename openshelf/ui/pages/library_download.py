"""One download in the library: what it is, how far, how fast, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from openshelf.library.downloads import Download, DownloadState
from openshelf.library.queue_order import Move
from openshelf.ui.models.download_words import figures_words, state_words
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import Meter
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.limit_menu import LimitMenu
from openshelf.ui.widgets.text import TextLabel

_RESTING = (DownloadState.PAUSED, DownloadState.FAILED)
_RUNNING = (DownloadState.RUNNING, DownloadState.WAITING, DownloadState.VERIFYING)
_STANDING = (*_RESTING, DownloadState.WAITING, DownloadState.QUEUED)
"""Nothing moves; the bar has another color then."""
_ENDED = (DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED)

_MOST_NAME = 40
_QUANT_WIDTH = 76
"""Of the longest usual one, in pixels: the meters stand below each other."""


class DownloadRow(QWidget):
    """Each signal carries the download's id; `chat_pressed` the id of the installed model.

    `move_pressed` and `limit_pressed` also carry a Move, and bytes per second or None.
    """

    pause_pressed = Signal(str)
    resume_pressed = Signal(str)
    cancel_pressed = Signal(str)
    dismiss_pressed = Signal(str)
    chat_pressed = Signal(str)
    move_pressed = Signal(str, object)
    limit_pressed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._download: Download | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(14)
        self.name = TextLabel("", TextRole.STRONG, wrap=True)
        self.quant = TextLabel("", TextRole.CODE)
        self.quant.setMinimumWidth(_QUANT_WIDTH)
        self.meter = Meter("")
        self.words = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.words.setFixedWidth(262)
        self.action = LinkButton()
        self.more_button = LinkButton("⋯")
        self.close_button = LinkButton("✕")
        row.addWidget(self.name, 4)
        row.addWidget(self.quant)
        row.addWidget(self.meter, 4)
        row.addWidget(self.words)
        row.addWidget(self.action, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._make_menu()
        self.action.setMinimumWidth(64)
        self.action.clicked.connect(self._on_action)
        self.close_button.clicked.connect(self._on_close)

    def _make_menu(self) -> None:
        menu = QMenu(self.more_button)
        self.moves: dict[Move, QAction] = {}
        for move, words in (
            (Move.NEXT, self.tr("Download next")),
            (Move.UP, self.tr("Move up")),
            (Move.DOWN, self.tr("Move down")),
        ):
            self.moves[move] = menu.addAction(words)
            self.moves[move].setData(move)
            self.moves[move].triggered.connect(self._on_moved)
        self.limit_menu = LimitMenu(self.tr("Limit its speed"), menu)
        self.limit_menu.chosen.connect(self._on_limited)
        menu.addMenu(self.limit_menu)
        self.more_button.setMenu(menu)

    @property
    def download(self) -> Download | None:
        return self._download

    def show_download(self, download: Download) -> None:
        if download == self._download:
            return
        self._download = download
        name = " ".join(download.model_name.split())
        self.name.setText(name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…")
        self.name.setToolTip(name if len(name) > _MOST_NAME else "")
        self.quant.setText(download.quant or "")
        figures = figures_words(download)
        share = download.done_bytes / download.total_bytes if download.total_bytes else 0.0
        is_done = download.state is DownloadState.DONE
        self.meter.set_tint("kv_cache" if download.state in _STANDING else "accent")
        self.meter.set_fraction(1.0 if is_done else share, figures)
        self.meter.setAccessibleName(self.tr("Progress of {name}").format(name=name))
        self._show_words(download, figures)
        self._show_buttons(download, name)

    def _show_words(self, download: Download, figures: str) -> None:
        state, tone, words = download.state, "muted", figures
        if state is DownloadState.FAILED:
            tone, words = "bad", state_words(state)
        elif state is DownloadState.WAITING:
            tone, words = "warning", state_words(state)
        elif state is DownloadState.PAUSED:
            words = self.tr("paused · {figures}").format(figures=figures)
        elif state is not DownloadState.RUNNING:
            words = state_words(state)
        if download.reason is not None and state is not DownloadState.DONE:
            words = reason_sentence(download.reason)
            tone = "bad" if state is DownloadState.FAILED else "warning"
        self.words.setText(words)
        self.words.set_tone(tone)

    def _show_buttons(self, download: Download, name: str) -> None:
        state = download.state
        if state is DownloadState.DONE:
            text, spoken = self.tr("Chat"), self.tr("Chat with {name}")
        elif state is DownloadState.FAILED:
            text, spoken = self.tr("Try again"), self.tr("Try to download {name} again")
        elif state is DownloadState.PAUSED:
            text, spoken = self.tr("Resume"), self.tr("Resume the download of {name}")
        else:
            text, spoken = self.tr("Pause"), self.tr("Pause the download of {name}")
        self.action.setText(text)
        self.action.setAccessibleName(spoken.format(name=name))
        can_act = state is not DownloadState.VERIFYING
        self.action.setEnabled(
            can_act and (state is not DownloadState.DONE or bool(download.installed_id))
        )
        if state in _ENDED:
            spoken = self.tr("Take {name} off the list")
        else:
            spoken = self.tr("Cancel the download of {name}")
        self.close_button.setAccessibleName(spoken.format(name=name))
        spoken = self.tr("More about the download of {name}").format(name=name)
        self.more_button.setAccessibleName(spoken)
        # It keeps its place, so that the buttons of all rows stand below each other.
        self.more_button.setEnabled(state not in (DownloadState.DONE, DownloadState.CANCELLED))
        self.moves[Move.NEXT].setEnabled(state not in _RUNNING)
        self.limit_menu.show_limit(download.limit)
        self.close_button.setToolTip(self.close_button.accessibleName())

    def _on_action(self) -> None:
        download = self._download
        if download is None:
            return
        if download.state is DownloadState.DONE:
            self.chat_pressed.emit(download.installed_id or "")
        elif download.state in _RESTING:
            self.resume_pressed.emit(download.id)
        else:
            self.pause_pressed.emit(download.id)

    def _on_moved(self) -> None:
        action = self.sender()
        if self._download is not None and isinstance(action, QAction):
            self.move_pressed.emit(self._download.id, Move(action.data()))

    def _on_limited(self, rate: int | None) -> None:
        if self._download is not None:
            self.limit_pressed.emit(self._download.id, rate)

    def _on_close(self) -> None:
        download = self._download
        if download is None:
            return
        if download.state in _ENDED:
            self.dismiss_pressed.emit(download.id)
        else:
            self.cancel_pressed.emit(download.id)
