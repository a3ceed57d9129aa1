"""Sending, streaming, stopping: one conversation talking to the engine.

`send` is blocking work for a task; whoever shows the answer asks `live` for the text so far, so a
slow window never slows the engine.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from openshelf.chat.conversation import Conversation, Message
from openshelf.engine.protocol import Sampling
from openshelf.tasks import CancelToken, Report


class LivePhase(enum.StrEnum):
    LOADING = "loading"
    PROMPT = "prompt"
    GENERATING = "generating"


@dataclass(frozen=True)
class LiveAnswer:
    """The answer while it is written. `fraction` is of the load or of the prompt, if known."""

    conversation_id: int
    message_id: int
    phase: LivePhase
    text: str
    tokens: int
    tokens_per_second: float | None
    fraction: float | None


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
