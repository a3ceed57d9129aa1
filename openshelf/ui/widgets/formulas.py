"""Formulas as outlines, drawn in a child process with a limit for each, and kept.

The child is started with the first formula, ended where it takes too long or is idle, and started
again. Nothing waits: who asks gets None, and `drawn` when there is an answer.
"""

from __future__ import annotations

import collections
import json
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject, QProcess, QProcessEnvironment, QTimer, Signal

from openshelf.children import Door, child_command, child_environment
from openshelf.ui.widgets.markdown_formats import READING_PIXELS

FORMULA_MILLISECONDS = 2_000
START_MILLISECONDS = 20_000
IDLE_MILLISECONDS = 60_000
MOST_KEPT = 1_000
MOST_WAITING = 2_000
_MOST_FAILED_STARTS = 3
_ANSWER_BYTES = 1_000_000
_LETTER_SCALE = 1.12
"""The letters of the formulas' font are smaller than those of the text at the same size."""


@dataclass(frozen=True)
class Formula:
    """Lengths in logical pixels; `ascent` from the top edge to the baseline. Without `svg` it could
    not be drawn."""

    svg: bytes = b""
    width: float = 0.0
    height: float = 0.0
    ascent: float = 0.0


FAILED = Formula()
Key = tuple[str, bool]
"""TeX, and whether it stands by itself."""


class Formulas(QObject):
    """`drawn` carries the key of a formula that there is an answer for now."""

    drawn = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._known: collections.OrderedDict[Key, Formula] = collections.OrderedDict()
        self._waiting: dict[Key, None] = {}
        self._asked: Key | None = None
        self._process: QProcess | None = None
        self._is_ready = False
        self._failed_starts = 0
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)
        self._limit.timeout.connect(self._on_limit)

    def get(self, key: Key) -> Formula | None:
        """FAILED where it cannot be drawn, None where `drawn` will follow."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        if self._failed_starts >= _MOST_FAILED_STARTS or len(self._waiting) >= MOST_WAITING:
            return FAILED
        self._waiting[key] = None
        self._go_on()
        return None

    def close(self) -> None:
        """End the child; what was asked for is asked again with the next formula."""
        process, self._process = self._process, None
        self._is_ready, self._asked = False, None
        self._limit.stop()
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(1_000)
            process.deleteLater()

    def _go_on(self) -> None:
        if self._process is None:
            self._start()
        elif self._is_ready and self._asked is None:
            self._ask_next(self._process)

    def _start(self) -> None:
        program, *arguments = child_command(Door.FORMULA_WORKER)
        environment = QProcessEnvironment()
        for name, value in child_environment().items():
            environment.insert(name, value)
        self._process = process = QProcess(self)
        process.setProcessEnvironment(environment)
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._on_answer)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close)
        self._limit.start(START_MILLISECONDS)
        process.start(program, arguments)

    def _ask_next(self, process: QProcess) -> None:
        if not self._waiting:
            self._limit.start(IDLE_MILLISECONDS)
            return
        self._asked = tex, is_display = next(iter(self._waiting))
        size = READING_PIXELS * _LETTER_SCALE
        request = {"id": 1, "tex": tex, "is_display": is_display, "size": size}
        self._limit.start(FORMULA_MILLISECONDS)
        process.write(json.dumps(request).encode("ascii") + b"\n")

    def _on_answer(self) -> None:
        process = self._process
        while process is not None and process is self._process and process.canReadLine():
            line = bytes(process.readLine(_ANSWER_BYTES).data())
            if not self._is_ready:
                self._is_ready, self._failed_starts = True, 0
            elif self._asked is not None:
                self._settle(self._asked, _read(line))
            self._go_on()

    def _settle(self, key: Key, formula: Formula) -> None:
        self._asked = None
        self._waiting.pop(key, None)
        self._known[key] = formula
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        self.drawn.emit(key)

    def _on_limit(self) -> None:
        """The formula takes too long, the child never came, or nobody asks any more."""
        was_ready, asked = self._is_ready, self._asked
        self.close()
        self._lost(was_ready=was_ready, asked=asked)

    def _on_finished(self) -> None:
        was_ready, asked = self._is_ready, self._asked
        self.close()
        self._lost(was_ready=was_ready, asked=asked)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._on_finished()

    def _lost(self, *, was_ready: bool, asked: Key | None) -> None:
        if not was_ready:
            self._failed_starts += 1
        if asked is not None:
            self._settle(asked, FAILED)
        if self._failed_starts >= _MOST_FAILED_STARTS:
            for key in tuple(self._waiting):
                self._settle(key, FAILED)
        elif self._waiting:
            self._go_on()


def _read(line: bytes) -> Formula:
    try:
        answer = json.loads(line)
        width, height, ascent = (float(answer[name]) for name in ("width", "height", "ascent"))
        return Formula(str(answer["svg"]).encode(), width, height, ascent)
    except (ValueError, KeyError, TypeError):
        return FAILED


FORMULAS = Formulas()
