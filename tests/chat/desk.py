"""Chats over a scripted engine, with all they need, and what they asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from openshelf.chat.conversation import Message
from openshelf.chat.interface import Prediction
from openshelf.chat.session import Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.engine.protocol import Sampling
from openshelf.library.measurements import LoadMeasurement, MeasuredRun
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file

SAMPLING = Sampling()


class Desk:
    """Chats with all they need, and what they asked for."""

    def __init__(self, path: Path, *answers: Answer) -> None:
        self.engine = FakeEngine(*answers)
        self.store = ConversationStore(path / "chats.sqlite3")
        self.opened: list[str] = []
        self.runs: list[MeasuredRun] = []
        self.kept_loads: list[LoadMeasurement] = []
        self.prediction: Prediction | None = None
        self.keep_error: Exception | None = None
        self.allowed = True
        self.open_error: Exception | None = None
        self.seconds = 0.0
        self.chats = Chats(
            self.store,
            self.engine,
            self.open_model,
            measurements=self,
            clock=lambda: self.seconds,
        )

    def keep_load(self, load: LoadMeasurement) -> None:
        if self.keep_error is not None:
            raise self.keep_error
        self.kept_loads.append(load)

    def keep_run(self, run: MeasuredRun) -> None:
        if self.keep_error is not None:
            raise self.keep_error
        self.runs.append(run)

    def open_model(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        self.opened.append(model_id)
        if self.open_error is not None:
            raise self.open_error
        file = model_file()
        return LoadTicket(
            model_id,
            clearance_for(file),
            load_order(file),
            placement="fits_cpu",
            n_layers=30,
            predicted_bytes={"ram": 10},
            still_allowed=lambda: self.allowed,
            prediction=self.prediction,
        )

    def send(self, conversation_id: int, text: str = "Hi", model_id: str = "m") -> Message:
        return self.chats.send(conversation_id, text, model_id, SAMPLING, CancelToken(), no_report)

    def send_in_thread(
        self, conversation_id: int, cancel: CancelToken | None = None
    ) -> Callable[[], Message]:
        """Returns a function that waits for the answer."""
        answers: list[Message] = []

        def run() -> None:
            answers.append(
                self.chats.send(
                    conversation_id, "Hi", "m", SAMPLING, cancel or CancelToken(), no_report
                )
            )

        thread = threading.Thread(target=run)
        thread.start()

        def result() -> Message:
            thread.join(20)
            return answers[0]

        return result

    def stored(self, conversation_id: int) -> tuple[Message, ...]:
        """As another process would see it."""
        other = ConversationStore.__new__(ConversationStore)
        other._database = self.store._database
        return other.branch(conversation_id)
