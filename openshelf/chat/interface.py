"""What the window and the command line use of chats, and what chats need from the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from openshelf.chat.archive import ExportForm
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Conversation, Folder, FoundConversation, Message
from openshelf.chat.live import LiveAnswer
from openshelf.engine.interface import LoadOrder, ServerOrder
from openshelf.engine.protocol import Sampling
from openshelf.fit.memory import DeviceMemory
from openshelf.fit.workload import Workload
from openshelf.hardware.facts import Machine
from openshelf.library.measurements import ComponentMemory, LoadMeasurement, MeasuredRun
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class ServerInUse:
    """The server that answers. Where it `is_here`, it is another program on this machine; without
    `tells_context` the context's length is an assumption of ours."""

    name: str
    host: str
    model: str
    is_here: bool
    tells_context: bool


@dataclass(frozen=True)
class ModelInMemory:
    """What is loaded now: predicted and measured bytes per pool ("ram", "gpu:0")."""

    model_id: str
    context_length: int
    n_gpu_layers: int
    n_layers: int
    placement: str
    """A FitVerdict value: fits_gpu, fits_split or fits_cpu; empty for a server's."""
    predicted_bytes: dict[str, int]
    measured_bytes: dict[str, int]
    load_seconds: float
    components: tuple[ComponentMemory, ...] = ()
    """The same per device and component, where the engine tells it."""
    server: ServerInUse | None = None
    """Where the model is on a server: nothing is known of its memory then."""
    left_gpu: bool = False
    """It was to run on a GPU, and the engine put all of it on the CPU."""
    engine_version: str = ""
    engine_folder: str = ""
    """Where the engine build lies, empty for the one that is installed."""
    devices: tuple[str, ...] = ()
    """What holds its weights, by the names that a person knows."""


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Prediction:
    """What a load is expected to take and to do. `engine_names`: what the engine calls each GPU."""

    devices: tuple[DeviceMemory, ...]
    machine: Machine
    engine_names: Mapping[str, str]
    work: Callable[[], Workload]
    """Reads the file's header. Raises NotFound, CorruptModel."""


@dataclass(frozen=True)
class LoadTicket:
    """Everything a load needs, worked out by the wiring: gate, library and fit.

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
    prediction: Prediction | None = None
    """None where nothing is to be compared."""


@dataclass(frozen=True)
class ServerTicket:
    """The same for a model on a server. It is another one for each order, even of the same model,
    once the server's address changed."""

    model_id: str
    clearance: Clearance
    order: ServerOrder
    still_allowed: Callable[[], bool] = _always


Ticket = LoadTicket | ServerTicket
OpenModel = Callable[[str, CancelToken], LoadTicket]
OpenAny = Callable[[str, CancelToken], Ticket]
"""Of this machine or of a server, by the id."""


@dataclass(frozen=True)
class AskWith:
    """What an answer is written with."""

    model_id: str
    sampling: Sampling


class KeepsMeasurements(Protocol):
    """What a load took and how fast an answer was; library/store.py."""

    def keep_load(self, load: LoadMeasurement) -> None: ...
    def keep_run(self, run: MeasuredRun) -> None: ...


class FoldersLike(Protocol):
    """Folders of saved conversations. Raises NotFound; UsageError where a name is empty."""

    def all(self) -> tuple[Folder, ...]:
        """By name."""
        ...

    def add(self, name: str) -> Folder:
        """The one of that name, where there is one."""
        ...

    def rename(self, folder_id: int, name: str) -> None:
        """A name that another one has joins the two."""
        ...

    def delete(self, folder_id: int) -> None:
        """Its conversations stay, in no folder."""
        ...

    def put(self, conversation_id: int, folder_id: int | None) -> None:
        """Into a folder, or out of all. One that is not saved is NotFound."""
        ...


class ChatsLike(Protocol):
    """What the window and the command line use."""

    @property
    def folders(self) -> FoldersLike: ...
    def conversations(self) -> tuple[Conversation, ...]: ...
    def new_conversation(
        self, model_id: str | None, system_prompt: str = "", *, is_saved: bool = True
    ) -> Conversation:
        """One that is not saved is in memory only, and gone with the app."""
        ...

    def delete_conversation(self, conversation_id: int) -> None: ...
    def delete_all(self) -> int:
        """Every conversation; returns how many are gone."""
        ...

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        """Conversations with every word in one message, or in their title."""
        ...

    def rename(self, conversation_id: int, title: str) -> None:
        """Raises NotFound. An empty title gives back the one made of the first question."""
        ...

    def pin(self, conversation_id: int, *, pinned: bool) -> None: ...
    def export(self, conversation_id: int, path: Path, form: ExportForm) -> None:
        """Into a file for its owner only. Raises NotFound, BadChatFile (unwritable)."""
        ...

    def import_file(self, path: Path) -> Conversation:
        """What `export` wrote as JSON or Markdown, as a new conversation. Raises BadChatFile."""
        ...

    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        """The branch shown, oldest first, the system prompt not included."""
        ...

    def versions(self, conversation_id: int) -> Mapping[int, tuple[int, ...]]:
        """Of each message shown that has several versions: the ids of all, oldest first."""
        ...

    def show(self, message_id: int) -> None:
        """Show the branch through this message, down to its latest end. Raises NotFound."""
        ...

    def send(
        self,
        conversation_id: int,
        text: str,
        model_id: str,
        sampling: Sampling,
        cancel: CancelToken,
        report: Report,
        *,
        attached: Sequence[Attachment] = (),
    ) -> Message:
        """Store the question, load the model if needed, answer, store the answer.

        Returns the answer, also where it was stopped or the engine died (see its state). Raises
        where nothing could be asked: NotFound, DoesNotFit, ClearanceRefused, CorruptModel…
        """
        ...

    def edit(
        self, question_id: int, text: str, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """Ask it in other words: another version of the question, with the same attachments, and
        an answer; as `send`."""
        ...

    def regenerate(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """Another answer to the same question; as `send`. What could not be asked leaves the
        branch shown as it was."""
        ...

    def continue_answer(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """Go on with an answer that nothing follows, where its text ends; as `send`.
        Raises UsageError where something follows."""
        ...

    def count(
        self, attached: Sequence[Attachment], model_id: str, cancel: CancelToken
    ) -> tuple[Attachment, ...]:
        """With their tokens as that model counts them, if it is in memory on this machine; else,
        and where it does not tell, as they are. Nothing goes to a server before it is sent.

        Raises EngineFailed (busy) while an answer is written, EngineDied, CancelledByUser.
        """
        ...

    def live(self, conversation_id: int) -> LiveAnswer | None: ...
    def stop(self, conversation_id: int) -> None: ...
    def loaded(self) -> ModelInMemory | None: ...
    def unload(self) -> None: ...
