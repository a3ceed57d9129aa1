"""The model that is in memory: loaded when an answer needs it, one at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence

from openshelf.chat.attachments import Attachment
from openshelf.chat.counting import counted
from openshelf.chat.interface import (
    KeepsMeasurements,
    LoadTicket,
    ModelInMemory,
    OpenAny,
    ServerTicket,
    Ticket,
)
from openshelf.chat.live import AnswerInProgress, LivePhase
from openshelf.chat.measuring import (
    load_measurement,
    measured_run,
    model_in_memory,
    model_on_server,
)
from openshelf.engine.interface import EngineLike, Order
from openshelf.engine.protocol import Done, Loaded
from openshelf.errors import OpenshelfError
from openshelf.fit.speed import LEAST_ANSWER_TOKENS
from openshelf.tasks import CancelToken, Progress, Report

log = logging.getLogger(__name__)


class ModelHolder:
    """Loads through the engine, and keeps what a load and an answer measured."""

    def __init__(
        self, engine: EngineLike[Order], open_model: OpenAny, measurements: KeepsMeasurements | None
    ) -> None:
        self._engine = engine
        self.open_model = open_model
        self._measurements = measurements
        self._ticket: Ticket | None = None
        self._in_memory: tuple[Loaded, ModelInMemory] | None = None

    @property
    def context_length(self) -> int:
        """Tokens, of what was loaded last; 0 where nothing was."""
        return self._in_memory[1].context_length if self._in_memory else 0

    def loaded(self) -> ModelInMemory | None:
        held = self._in_memory
        return held[1] if held is not None and self._engine.loaded is held[0] else None

    def unload(self) -> None:
        """Raises EngineFailed (busy) while an answer is written."""
        self._in_memory = None
        self._ticket = None
        self._engine.unload()

    def have(self, model_id: str, current: AnswerInProgress, report: Report) -> None:
        """Load it, unless it is what is loaded. The one before goes first: the fit counts on it."""
        ticket = self._ticket
        if (
            ticket is not None
            and ticket.model_id == model_id
            and self.loaded() is not None
            and ticket.still_allowed()
        ):
            return
        self.unload()

        def on_progress(progress: Progress) -> None:
            current.move_to(LivePhase.LOADING, progress.fraction)
            report(progress)

        ticket = self.open_model(model_id, current.cancel)
        loaded = self._engine.load(ticket.clearance, ticket.order, current.cancel, on_progress)
        self._ticket = ticket
        if isinstance(ticket, ServerTicket):
            self._in_memory = (loaded, model_on_server(ticket, loaded))
            return
        in_memory = model_in_memory(ticket, loaded)
        self._in_memory = (loaded, in_memory)
        measured = load_measurement(ticket, loaded, in_memory)
        if self._measurements is not None and measured is not None:
            with _kept_if_possible():
                self._measurements.keep_load(measured)

    def count(
        self, attached: Sequence[Attachment], model_id: str, cancel: CancelToken
    ) -> tuple[Attachment, ...]:
        """See ChatsLike.count."""
        held = self.loaded()
        if held is None or held.model_id != model_id or held.server is not None:
            return tuple(attached)
        found = counted(self._engine, attached, cancel)
        return found if self.loaded() is held else tuple(attached)

    def keep_speed(self, done: Done) -> None:
        """What an answer on this machine reached; a server's speed says nothing of it."""
        if self._measurements is None or not isinstance(self._ticket, LoadTicket):
            return
        planned = self._ticket.order.plan.n_threads
        if planned and done.n_threads not in (0, planned):
            return  # others kept the machine busy: that says nothing of its speed
        if done.completion_tokens >= LEAST_ANSWER_TOKENS:
            with _kept_if_possible():
                self._measurements.keep_run(measured_run(self._ticket, done))


@contextlib.contextmanager
def _kept_if_possible() -> Iterator[None]:
    """What was measured is not worth an answer: a library that cannot be written is no failure."""
    try:
        yield
    except OpenshelfError as error:
        log.warning("what was measured could not be kept: %s", error)
