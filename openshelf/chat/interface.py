"""What the window and the command line use of chats, and what chats need from the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from openshelf.chat.conversation import Conversation, Message
from openshelf.chat.live import LiveAnswer
from openshelf.engine.interface import LoadOrder
from openshelf.engine.protocol import Sampling
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class ModelInMemory:
    """What is loaded now: predicted and measured bytes per pool ("ram", "gpu:0")."""

    model_id: str
    context_length: int
    n_gpu_layers: int
    n_layers: int
    placement: str
    """A FitVerdict value: fits_gpu, fits_split or fits_cpu."""
    predicted_bytes: dict[str, int]
    measured_bytes: dict[str, int]
    load_seconds: float


def _always() -> bool:
    return True


@dataclass(frozen=True)
class LoadTicket:
    """Everything a load needs, worked out by services.py: gate, library and fit.

    `placement` is a FitVerdict value. `still_allowed` is asked before each further message; where
    it says no (the policy changed), the model is opened anew, which may refuse it.
    """

    model_id: str
    clearance: Clearance
    order: LoadOrder
    placement: str
    n_layers: int
    predicted_bytes: dict[str, int] = field(default_factory=dict)
    """What llama.cpp will allocate per pool, as `Loaded.memory_bytes` tells it afterwards."""
    still_allowed: Callable[[], bool] = _always


OpenModel = Callable[[str, CancelToken], LoadTicket]
OnMeasured = Callable[[str, float], None]
"""Model id, and tokens per second of a generation."""


class ChatsLike(Protocol):
    """What the window and the command line use."""

    def conversations(self) -> tuple[Conversation, ...]: ...
    def new_conversation(self, model_id: str | None, system_prompt: str = "") -> Conversation: ...
    def delete_conversation(self, conversation_id: int) -> None: ...
    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        """The branch shown, oldest first, the system prompt not included."""
        ...

    def send(
        self,
        conversation_id: int,
        text: str,
        model_id: str,
        sampling: Sampling,
        cancel: CancelToken,
        report: Report,
    ) -> Message:
        """Store the question, load the model if needed, answer, store the answer.

        Returns the answer, also where it was stopped or the engine died (see its state). Raises
        where nothing could be asked: NotFound, DoesNotFit, ClearanceRefused, CorruptModel…
        """
        ...

    def live(self, conversation_id: int) -> LiveAnswer | None: ...
    def stop(self, conversation_id: int) -> None: ...
    def loaded(self) -> ModelInMemory | None: ...
    def unload(self) -> None: ...
