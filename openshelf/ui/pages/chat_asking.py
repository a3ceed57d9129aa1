"""How the next message is asked: what is recommended, saved settings and prompts, a schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from openshelf.chat.advice import Advice
from openshelf.chat.conversation import Conversation
from openshelf.chat.presets import Preset, PresetKind
from openshelf.engine.asking import Sampling
from openshelf.errors import BadAttachment, CorruptModel, NotFound
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chat_inspector import ChatInspector
from openshelf.ui.widgets.composer import Composer
from openshelf.ui.widgets.file_dialogs import ask_for_file

_MOST_SCHEMA_BYTES = 64 << 10


@dataclass(frozen=True)
class _Known:
    model_id: str
    advice: Advice


def _schema_in(path: str) -> str:
    """Raises BadAttachment."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_SCHEMA_BYTES + 1)
    except OSError as error:
        raise BadAttachment(str(error.strerror or ""), path, "unreadable") from error
    if len(data) > _MOST_SCHEMA_BYTES:
        raise BadAttachment("64 KB", path, "too_large")
    return data.decode("utf-8-sig", "replace")


class Asking(QObject):
    """Fills the inspector's settings and the composer's foot, and reads them. `advised` carries
    what is known of the model, `failed` an error."""

    advised = Signal(object)
    failed = Signal(object)

    def __init__(
        self, services: Services, bridge: TaskBridge, inspector: ChatInspector, composer: Composer
    ) -> None:
        super().__init__(inspector)
        self._services, self._bridge = services, bridge
        self._inspector, self._panel, self._foot = inspector, inspector.panel, composer.foot
        self._model_id: str | None = None
        self._on_server = False
        self._presets: tuple[Preset, ...] = ()
        self._is_new = True
        self._of_chat: Sampling | None = None
        """What was taken over from a chat that was opened."""
        self._panel.publisher_requested.connect(self._on_publisher_requested)
        self._panel.schema_requested.connect(self._on_schema_requested)
        self._panel.preset_named.connect(self._on_settings_named)
        self._panel.presets.chosen.connect(self._on_settings_chosen)
        self._panel.presets.deleted.connect(self._on_settings_deleted)
        inspector.prompts.chosen.connect(self._on_prompt_chosen)
        inspector.prompts.deleted.connect(self._on_prompt_deleted)
        inspector.prompt_name.named.connect(self._on_prompt_named)
        inspector.prompt_edit.textChanged.connect(self._show_presets)
        self._foot.prompt_chosen.connect(self._on_prompt_chosen)

    @property
    def sampling(self) -> Sampling:
        """What the next message is sent with."""
        sampling = self._panel.sampling
        form = replace(sampling.form, thinking=self._foot.thinking, effort=self._foot.effort)
        return replace(sampling, form=form)

    def refresh(self) -> None:
        """Read what is saved."""
        self._change("read presets", lambda: None)

    def forget_model(self) -> None:
        """It may have been installed anew meanwhile: look again."""
        self._model_id = None

    def use_context(self, length: int) -> None:
        """Models are loaded with a context of so many tokens from now on."""
        store = self._services.settings
        settings = replace(store.current, context_length=length)
        keep_settings(store, self._bridge, settings, self._on_written)

    def _on_written(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self.failed.emit(outcome.error)

    def show_model(self, model_id: str | None, *, on_server: bool = False) -> None:
        """The model that answers next: what its publisher recommends, and its template knows. Of
        one on a server that is not known, nor whether it sees: a picture is tried."""
        if (model_id, on_server) == (self._model_id, self._on_server):
            return
        self._model_id, self._on_server = model_id, on_server
        if on_server:
            self._show_advice(Advice(can_see=True))
        if model_id is None:
            # Of a server's model nothing is known here, so nothing of another one's holds for it.
            self._show_advice(Advice(can_see=True))
            return

        def work(cancel: CancelToken, report: Report) -> _Known:
            return _Known(model_id, self._services.chat_aids.advisor.advice(model_id))

        self._bridge.submit("recommended settings", work, on_outcome=self._on_advice_read)

    def show_conversation(self, conversation: Conversation | None) -> None:
        """One that is opened is asked as it was last; None is a new one, which begins as is
        recommended for its model, or as was set by hand."""
        self._is_new = conversation is None
        if conversation is None and self._of_chat == self.sampling:
            self._panel.go_back()
            self._foot.set_thinking(None, "")
        if conversation is None:
            self._of_chat = None
        if conversation is not None and conversation.sampling is not None:
            sampling = conversation.sampling
            self._panel.set_sampling(sampling)
            self._foot.set_thinking(sampling.form.thinking, sampling.form.effort)
            self._of_chat = self.sampling
        self._show_presets()

    # --- what is recommended ----------------------------------------------------------------------

    def _on_advice_read(self, outcome: Outcome[_Known]) -> None:
        match outcome:
            case Succeeded(known) if known.model_id == self._model_id:
                self._show_advice(known.advice)
            case _ if self._on_server:
                pass  # of the model before it
            case Failed(NotFound() | CorruptModel()):
                # A model that is gone or damaged says so where it is chosen.
                self._show_advice(Advice())
            case Failed(error):
                self.failed.emit(error)
            case _:
                pass

    def _show_advice(self, advice: Advice) -> None:
        self._panel.show_advice(advice, on_server=self._on_server)
        self._foot.show_advice(advice)
        self.advised.emit(advice)

    def _on_publisher_requested(self) -> None:
        model_id = self._model_id
        if model_id is None:
            return

        def work(cancel: CancelToken, report: Report) -> _Known:
            return _Known(
                model_id, self._services.chat_aids.advisor.ask_publisher(model_id, cancel)
            )

        def show(outcome: Outcome[_Known]) -> None:
            if isinstance(outcome, Failed):
                self.failed.emit(outcome.error)
            else:
                self._on_advice_read(outcome)

        self._bridge.submit("ask the publisher", work, on_outcome=show)

    # --- a schema ---------------------------------------------------------------------------------

    def _on_schema_requested(self) -> None:
        title = self.tr("Choose a JSON schema")
        ask_for_file(self._panel, title, self.tr("JSON (*.json)"), self.read_schema)

    def read_schema(self, path: str) -> None:
        """Only read here: whether an answer can be held to it is the engine's word."""

        def work(cancel: CancelToken, report: Report) -> str:
            return _schema_in(path)

        def show(outcome: Outcome[str]) -> None:
            if isinstance(outcome, Succeeded):
                self._panel.set_schema(outcome.value)
            elif isinstance(outcome, Failed):
                self.failed.emit(outcome.error)

        self._bridge.submit("read a schema", work, on_outcome=show)

    # --- presets and prompts ----------------------------------------------------------------------

    def _change(self, name: str, act: Callable[[], object]) -> None:
        def work(cancel: CancelToken, report: Report) -> tuple[Preset, ...]:
            act()
            return self._services.chat_aids.presets.all()

        self._bridge.submit(name, work, on_outcome=self._on_presets_read)

    def _on_presets_read(self, outcome: Outcome[tuple[Preset, ...]]) -> None:
        if isinstance(outcome, Succeeded):
            self._presets = outcome.value
            self._show_presets()
        elif isinstance(outcome, Failed):
            self.failed.emit(outcome.error)

    def _show_presets(self) -> None:
        settings = [p.name for p in self._presets if p.kind is PresetKind.SAMPLING]
        prompts = [p for p in self._presets if p.kind is PresetKind.PROMPT]
        names = [p.name for p in prompts]
        written = self._inspector.system_prompt
        shown = next((p.name for p in prompts if p.prompt.strip() == written and written), "")
        self._panel.presets.set_names(settings)
        self._inspector.prompts.set_names(names)
        self._foot.show_prompts(names, is_new=self._is_new, shown=shown)

    def _keep(self, preset: Preset) -> None:
        self._change("keep a preset", lambda: self._services.chat_aids.presets.keep(preset))

    def _delete(self, kind: PresetKind, name: str) -> None:
        presets = self._services.chat_aids.presets
        self._change("delete a preset", lambda: presets.delete(kind, name))

    def _on_settings_named(self, name: str) -> None:
        self._keep(Preset(PresetKind.SAMPLING, name, sampling=self.sampling))

    def _on_settings_deleted(self, name: str) -> None:
        self._delete(PresetKind.SAMPLING, name)

    def _on_settings_chosen(self, name: str) -> None:
        for preset in self._presets:
            is_it = preset.kind is PresetKind.SAMPLING and preset.name == name
            if is_it and preset.sampling is not None:
                self._panel.set_sampling(preset.sampling)
                form = preset.sampling.form
                self._foot.set_thinking(form.thinking, form.effort)

    def _on_prompt_named(self, name: str) -> None:
        self._keep(Preset(PresetKind.PROMPT, name, prompt=self._inspector.system_prompt))

    def _on_prompt_deleted(self, name: str) -> None:
        self._delete(PresetKind.PROMPT, name)

    def _on_prompt_chosen(self, name: str) -> None:
        for preset in self._presets:
            if preset.kind is PresetKind.PROMPT and preset.name == name and self._is_new:
                self._inspector.prompt_edit.setPlainText(preset.prompt)
