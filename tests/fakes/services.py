"""A fake of everything behind the window: scripted, in memory, driven by the test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from openshelf.catalog.loader import load_catalog
from openshelf.catalog.refresh import NEVER_REFRESHED
from openshelf.chat.archive import ExportForm
from openshelf.chat.attachments import Attachment
from openshelf.chat.benching import BenchQuestion, BenchReport, MeasuredSpeed
from openshelf.chat.conversation import (
    AnswerFigures,
    Conversation,
    FoundConversation,
    Message,
    MessageState,
    Role,
)
from openshelf.chat.session import AskWith, LiveAnswer, ModelInMemory
from openshelf.engine.architectures import EngineKnowledge
from openshelf.engine.protocol import Sampling
from openshelf.errors import NotFound, OpenshelfError
from openshelf.hardware.facts import Machine
from openshelf.hub.tokens import TokenStore
from openshelf.keychain import NoKeychain
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.fitting import TargetFit
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.updates import UpdateReport
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.network import EgressLog
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.policy.store import PolicyStore
from openshelf.services import Services
from openshelf.settings import Settings, check_settings
from openshelf.shelf.preview import PolicyPreview, ShelfPreview
from openshelf.shelf.rows import ShelfQuestion
from openshelf.tasks import Announcer, CancelToken, InlineTaskRunner, Progress, Report, TaskRunner
from tests.fakes.aids import fake_aids
from tests.fakes.engine import FakeEngine, clearance_for, load_order, model_file
from tests.fakes.example_cards import FakeCards
from tests.fakes.example_data import (
    COMMIT,
    LICENSES,
    SHA256,
    example_catalog,
    example_machine,
    example_offer,
    example_shelf,
)
from tests.fakes.example_models import FakeModels
from tests.fakes.example_search import FakeSearch
from tests.fakes.library import FakeBundles, FakeLibrary


class FakeSettingsStore:
    """Refuses the values that the real one refuses; where `failure` is set, nothing is kept."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.announcer: Announcer[Settings] = Announcer()
        self.current = settings or Settings()
        self.failure: OpenshelfError | None = None

    def save(self, settings: Settings) -> None:
        check_settings(settings)
        self.current = settings
        self.announcer.announce(settings)
        if self.failure is not None:
            raise self.failure


class FakeInstaller:
    """Hands out `offer`, or raises `error`; remembers the forms that were accepted."""

    def __init__(self, offer: InstallOffer | None = None) -> None:
        self.offer = offer or example_offer()
        self.error: OpenshelfError | None = None
        self.accept_error: OpenshelfError | None = None
        self.prepared: list[str] = []
        self.forms: list[AcceptanceForm] = []

    def prepare(self, target: str, cancel: CancelToken, report: Report) -> InstallOffer:
        self.prepared.append(target)
        report(Progress(0, None, "resolving"))
        cancel.raise_if_cancelled()
        if self.error is not None:
            raise self.error
        return replace(self.offer, target=target)

    def accept(self, offer: InstallOffer, form: AcceptanceForm) -> Clearance:
        if self.accept_error is not None:
            raise self.accept_error
        self.forms.append(form)
        return self.clear(offer)

    def clear(self, offer: InstallOffer) -> Clearance:
        files = tuple(ClearedFile(f.path, f.sha256, f.size_bytes) for f in offer.files)
        return Clearance(offer.repo, offer.commit, files, Verdict.ALLOWED, "record", "")

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        return installed_model(offer.model_name, offer.quant or "")


def installed_model(
    name: str = "Qwen3-14B", quant: str = "Q3_K_M", **changes: Any
) -> InstalledModel:
    model = InstalledModel(
        id=f"unsloth/{name}-GGUF@5ab33fa0:{name}-{quant}",
        repo=f"unsloth/{name}-GGUF",
        commit=COMMIT,
        name=name,
        quant=quant,
        files=(InstalledFile(f"{name}.gguf", f"/models/{name}.gguf", 7_300_000_000, SHA256),),
        license_expression="Apache-2.0",
        license_ids=("apache-2.0",),
        record_id="record",
        source="hub",
        installed_at="2026-11-20T09:00:00Z",
        verified_at="2026-11-23T08:00:00Z",
        decode_tokens_per_second=21.3,
    )
    return replace(model, **changes)


class FakeDownloads:
    """Downloads move only when the test says so: `advance`, `finish`, `fail`."""

    def __init__(self, library: FakeLibrary) -> None:
        self.announcer: Announcer[Download] = Announcer()
        self._library = library
        self._ids = itertools.count(1)
        self.all: dict[str, Download] = {}

    def start(self, offer: InstallOffer, clearance: Clearance) -> Download:
        download = Download(
            f"d{next(self._ids)}", offer.target, offer.model_name, offer.quant,
            DownloadState.QUEUED, offer.resumed_from_bytes, offer.size_bytes,
        )  # fmt: skip
        return self.put(download)

    def put(self, download: Download) -> Download:
        self.all[download.id] = download
        self.announcer.announce(download)
        return download

    def change(self, download_id: str, **changes: Any) -> Download:
        return self.put(replace(self.all[download_id], **changes))

    def advance(self, download_id: str, done_bytes: int) -> Download:
        left = self.all[download_id].total_bytes - done_bytes
        return self.change(
            download_id, state=DownloadState.RUNNING, done_bytes=done_bytes,
            rate_per_second=38e6, seconds_left=left / 38e6,
        )  # fmt: skip

    def finish(self, download_id: str) -> InstalledModel:
        download = self.all[download_id]
        model = installed_model(download.model_name, download.quant or "")
        self._library.add(model)
        self.change(
            download_id, state=DownloadState.DONE, done_bytes=download.total_bytes,
            installed_id=model.id,
        )  # fmt: skip
        return model

    def pause(self, download_id: str) -> None:
        self.change(download_id, state=DownloadState.PAUSED, rate_per_second=None)

    def resume(self, download_id: str) -> None:
        self.change(download_id, state=DownloadState.RUNNING)

    def cancel(self, download_id: str) -> None:
        self.change(download_id, state=DownloadState.CANCELLED)

    def dismiss(self, download_id: str) -> None:
        self.all.pop(download_id, None)

    def snapshots(self) -> tuple[Download, ...]:
        return tuple(self.all.values())

    def set_limit(self, bytes_per_second: int | None) -> None:
        pass

    def set_offline(self, host: str | None) -> None:
        pass

    def close(self) -> None:
        pass


class FakeChats:
    """Answers each question with `answer`, at once; `error` is raised instead where it is set."""

    def __init__(self) -> None:
        self.answer = "The answer is **42**."
        self.error: OpenshelfError | None = None
        self.state = MessageState.COMPLETE
        self.all: dict[int, Conversation] = {}
        self.texts: dict[int, list[Message]] = {}
        self.live_answer: LiveAnswer | None = None
        self.in_memory: ModelInMemory | None = None
        self.stopped: list[int] = []
        self.all_versions: dict[int, tuple[int, ...]] = {}
        self._ids = itertools.count(1)

    def conversations(self) -> tuple[Conversation, ...]:
        return tuple(reversed(self.all.values()))

    def new_conversation(
        self, model_id: str | None, system_prompt: str = "", *, is_saved: bool = True
    ) -> Conversation:
        now = "2026-11-23T09:00:00Z"
        conversation = Conversation(next(self._ids), "", now, now, model_id, is_saved=is_saved)
        self.all[conversation.id] = conversation
        self.texts[conversation.id] = []
        return conversation

    def delete_all(self) -> int:
        count = len(self.all)
        self.all.clear()
        self.texts.clear()
        return count

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        return tuple(
            FoundConversation(message.conversation_id, message.id, message.content)
            for messages in self.texts.values()
            for message in messages[:1]
            if text.casefold() in message.content.casefold()
        )

    def rename(self, conversation_id: int, title: str) -> None:
        self.all[conversation_id] = replace(self.all[conversation_id], title=title)

    def pin(self, conversation_id: int, *, pinned: bool) -> None:
        self.all[conversation_id] = replace(self.all[conversation_id], is_pinned=pinned)

    def export(self, conversation_id: int, path: Path, form: ExportForm) -> None:
        raise NotFound("conversation", str(conversation_id))

    def import_file(self, path: Path) -> Conversation:
        raise NotFound("file", str(path))

    def delete_conversation(self, conversation_id: int) -> None:
        del self.all[conversation_id]
        del self.texts[conversation_id]

    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        return tuple(self.texts[conversation_id])

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
        if self.error is not None:
            raise self.error
        question = self._append(conversation_id, Role.USER, text, MessageState.COMPLETE, None)
        self.texts[conversation_id][-1] = replace(question, attachments=tuple(attached))
        self.all[conversation_id] = replace(self.all[conversation_id], sampling=sampling)
        figures = AnswerFigures(12, 9, 0, 0.4, 310.0, 21.3)
        if not self.all[conversation_id].title:
            self.all[conversation_id] = replace(self.all[conversation_id], title=text[:40])
        return self._append(conversation_id, Role.ASSISTANT, self.answer, self.state, figures)

    def _append(
        self,
        conversation_id: int,
        role: Role,
        text: str,
        state: MessageState,
        figures: AnswerFigures | None,
    ) -> Message:
        message = Message(
            next(self._ids), conversation_id, None, role, text, state, "2026-11-23T09:00:00Z",
            figures=figures,
        )  # fmt: skip
        self.texts[conversation_id].append(message)
        return message

    def versions(self, conversation_id: int) -> Mapping[int, tuple[int, ...]]:
        return self.all_versions

    def show(self, message_id: int) -> None:
        raise NotFound("message", str(message_id))

    def edit(
        self, question_id: int, text: str, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(question_id))

    def regenerate(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(answer_id))

    def continue_answer(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(answer_id))

    def live(self, conversation_id: int) -> LiveAnswer | None:
        return self.live_answer

    def stop(self, conversation_id: int) -> None:
        self.stopped.append(conversation_id)

    def loaded(self) -> ModelInMemory | None:
        return self.in_memory

    def unload(self) -> None:
        self.in_memory = None


class FakePolicies(PolicyStore):
    """The real store over a folder of the test; no environment, no machine-wide file."""

    def __init__(self, paths: Paths, managed: str = "") -> None:
        machine_wide = paths.config / "machine-wide.toml"
        if managed:
            machine_wide.parent.mkdir(parents=True, exist_ok=True)
            machine_wide.write_text(managed, encoding="utf-8")
        super().__init__(paths, {}, machine_wide)


@cache
def _shipped_preview() -> ShelfPreview:
    return ShelfPreview(load_catalog(), load_licenses())


def example_preview(policy: Policy) -> PolicyPreview:
    """The shipped catalog under a policy, as the real service works it out."""
    return _shipped_preview().under(policy)


class FakeArchitectures:
    """An engine that knows whatever it is asked for."""

    def __init__(self) -> None:
        self.announcer: Announcer[EngineKnowledge] = Announcer()
        self.known = EngineKnowledge("llama.cpp 0.5.0")

    def current(self) -> EngineKnowledge:
        return self.known

    def ask(self, names: Iterable[str | None]) -> EngineKnowledge:
        self.known = replace(self.known, known=self.known.known | {name for name in names if name})
        self.announcer.announce(self.known)
        return self.known


class FakeRecords:
    def find_acceptance(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], flag: str = ""
    ) -> str | None:
        return None

    def same_terms(self, *_: object) -> tuple[Mapping[str, Any], ...]:
        return ()

    def waivers(self) -> tuple[Mapping[str, Any], ...]:
        return ()


class FakeKeptDownloads:
    """An empty list; nobody asks for it in the window."""

    def listed(self) -> tuple[Download, ...]:
        return ()

    def find(self, words: str) -> Download:
        raise NotFound("download", words)

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        raise NotFound("download", offer.target)

    def resume(self, download_id: str, cancel: CancelToken, report: Report) -> InstalledModel:
        raise NotFound("download", download_id)

    def pause(self, download_id: str, cancel: CancelToken) -> Download:
        raise NotFound("download", download_id)

    def cancel(self, download_id: str, cancel: CancelToken) -> Download:
        raise NotFound("download", download_id)


def _no_update(model: InstalledModel, cancel: CancelToken, report: Report) -> UpdateReport:
    raise NotFound("update", model.id)


def fake_paths(folder: Path) -> Paths:
    return Paths(*(folder / name for name in ("config", "data", "cache", "logs", "models")))


def example_bench(
    model_id: str, question: BenchQuestion, cancel: CancelToken, report: Report
) -> BenchReport:
    """A model of a few tokens per second, loaded by the scripted engine."""
    engine, file = FakeEngine(), model_file()
    order = load_order(file)
    loaded = engine.load(clearance_for(file), order, cancel, report)
    each = (20.0,) * question.repetitions
    prompt = MeasuredSpeed(question.prompt_tokens, 200.0, 0.0, tuple(10 * rate for rate in each))
    answer = MeasuredSpeed(question.answer_tokens, 20.0, 0.0, each)
    return BenchReport(model_id, loaded, order.plan, "fits_cpu", prompt, answer, None)


def _example_fit(machine: Machine) -> TargetFit:
    shown = example_shelf(machine, ShelfQuestion()).rows[0].shown
    assert shown is not None
    return TargetFit(shown.fit)


def fake_services(
    folder: Path,
    *,
    runner: TaskRunner | None = None,
    machine: Machine | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Services:
    """All fakes wired together; `changes` replaces fields of Services."""
    paths = fake_paths(folder)
    library = FakeLibrary()
    found = machine or example_machine()
    services = Services(
        paths=paths,
        settings=FakeSettingsStore(Settings(used_for="myself")),
        runner=runner or InlineTaskRunner(),
        detect_machine=lambda cancel, report: found,
        engine_facts=lambda known: known,
        catalog=example_catalog,
        read_card=FakeCards().card,
        shelf=example_shelf,
        gate=Gate(LICENSES, Policy(), FakeRecords()),
        check_update=_no_update,
        acceptances=AcceptanceLog(paths.acceptance_log, paths.data / "head.json"),
        installer=FakeInstaller(),
        tokens=TokenStore(paths.tokens_file, NoKeychain()),
        egress=EgressLog(),
        downloads=FakeDownloads(library),
        kept_downloads=FakeKeptDownloads(),
        library=library,
        bundles=FakeBundles(),
        chats=FakeChats(),
        chat_aids=fake_aids(),
        bench=example_bench,
        close=lambda: None,
        fit_target=lambda question, asked, cancel: _example_fit(asked),
        problems=lambda: (),
        dry_run_target=lambda question, asked, cancel: _example_fit(asked),
        models=FakeModels(),
        search=FakeSearch(),
        architectures=FakeArchitectures(),
        refresh_catalog=lambda cancel, report: NEVER_REFRESHED,
        with_policy=lambda path, what_if: services,
        policies=FakePolicies(paths),
        preview_policy=example_preview,
    )
    return replace(services, **(changes or {}))
