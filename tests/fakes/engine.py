"""A scripted engine: tokens and faults on demand, with the interface of the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from openshelf.engine.interface import LoadOrder, ModelFile, OnTokens, Order, Probed
from openshelf.engine.protocol import (
    ChatMessage,
    Device,
    Devices,
    Done,
    Loaded,
    Plan,
    Sampling,
)
from openshelf.errors import (
    CancelledByUser,
    EngineDied,
    EngineFailed,
    NotFound,
    OpenshelfError,
)
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.tasks import CancelToken, Progress, Report, no_report


def model_file(location: str = "/models/m.gguf", size_bytes: int = 100) -> ModelFile:
    return ModelFile("owner/repo", "c" * 40, "m.gguf", location, size_bytes, "5" * 64)


def clearance_for(*files: ModelFile, verdict: Verdict = Verdict.ALLOWED) -> Clearance:
    """What the gate would hand out; tests of the engine need no gate."""
    return Clearance(
        repo=files[0].repo,
        commit=files[0].commit,
        files=tuple(ClearedFile(f.path, f.sha256, f.size_bytes) for f in files),
        verdict=verdict,
        record_id=None,
        policy_sha256="",
    )


def load_order(*files: ModelFile, plan: Plan | None = None) -> LoadOrder:
    return LoadOrder(files or (model_file(),), plan or Plan(4096, needed_bytes={"ram": 10}), "")


def death(during: str = "chat") -> EngineDied:
    return EngineDied(exit_status=-9, signal="SIGKILL", during=during, tail="the last words")


@dataclass
class Answer:
    """One scripted answer. Before token number `pause_before` it waits for `resume`;
    `error` comes after all tokens."""

    tokens: Iterable[str] = ("Hello", " there", ".")
    error: Exception | None = None
    pause_before: int | None = None
    resume: threading.Event = field(default_factory=threading.Event)
    paused: threading.Event = field(default_factory=threading.Event)
    finish_reason: str = "stop"


class FakeEngine:
    """`answers` are used up one by one; the last one is repeated."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [Answer()]
        self.asked: list[tuple[ChatMessage, ...]] = []
        self.loads: list[LoadOrder] = []
        self.unloads = 0
        self.counts = 0
        self.load_error: OpenshelfError | None = None
        self.load_pause: threading.Event | None = None
        self.loading = threading.Event()
        self.closed = False
        self.missing_paths: set[str] = set()
        self._is_busy = False
        self._loaded: Loaded | None = None

    @property
    def loaded(self) -> Loaded | None:
        return self._loaded

    def probe(self, order: Order, cancel: CancelToken) -> Probed:
        cancel.raise_if_cancelled()
        return Probed("llama fake", "llama", 8192, has_template=True)

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int:
        self._refuse_if_busy()
        if self._loaded is None:
            raise EngineFailed("no_model")
        cancel.raise_if_cancelled()
        if any(message.images for message in messages) and not self._loaded.can_see:
            raise EngineFailed("cannot_see")
        self.counts += 1
        return sum(8 + len(m.whole.split()) + 256 * len(m.images) for m in messages)

    def load(
        self,
        clearance: Clearance,
        order: Order,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded:
        if self.closed:
            raise EngineFailed("closed")
        self._refuse_if_busy()
        assert isinstance(order, LoadOrder)
        for file in (*order.files, *((order.projector,) if order.projector else ())):
            clearance.require(
                repo=file.repo,
                commit=file.commit,
                path=file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                policy_sha256=order.policy_sha256,
            )
        self._loaded = None
        if order.files[0].location in self.missing_paths:
            raise NotFound("file", order.files[0].location)
        report(Progress(500, 1000, "loading"))
        self.loading.set()
        while self.load_pause is not None and not self.load_pause.wait(0.01):
            cancel.raise_if_cancelled()
        cancel.raise_if_cancelled()
        error, self.load_error = self.load_error, None
        if error is not None:
            raise error
        self.loads.append(order)
        self._loaded = Loaded(
            id=1,
            seconds=0.25,
            context_length=order.plan.context_length,
            n_gpu_layers=order.plan.n_gpu_layers,
            architecture="llama",
            description="llama fake",
            memory_bytes={"ram": 11},
            has_template=True,
            can_see=order.projector is not None,
        )
        return self._loaded

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done:
        self._refuse_if_busy()
        if self._loaded is None:
            raise EngineFailed("no_model")
        if any(message.images for message in messages) and not self._loaded.can_see:
            raise EngineFailed("cannot_see")
        self._is_busy = True
        try:
            return self._answer(messages, cancel, on_tokens, report)
        finally:
            self._is_busy = False

    def _refuse_if_busy(self) -> None:
        if self._is_busy:
            raise EngineFailed("busy")

    def _answer(
        self,
        messages: Sequence[ChatMessage],
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report,
    ) -> Done:
        self.asked.append(tuple(messages))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        report(Progress(10, 10, "prompt"))
        written = 0
        for number, token in enumerate(answer.tokens):
            if number == answer.pause_before:
                answer.paused.set()
                while not answer.resume.wait(0.01) and not cancel.is_cancelled:
                    pass
            if cancel.is_cancelled:
                return self._done("cancelled", written)
            on_tokens(token, 1)
            written += 1
        if answer.error is not None:
            if isinstance(answer.error, EngineDied):
                self._loaded = None
            raise answer.error
        return self._done(answer.finish_reason, written)

    def _done(self, finish_reason: str, written: int) -> Done:
        return Done(
            id=1,
            finish_reason=finish_reason,
            prompt_tokens=10,
            completion_tokens=written,
            cached_tokens=4,
            first_token_seconds=0.1,
            prefill_tokens_per_second=100.0,
            decode_tokens_per_second=20.0,
        )

    def devices(self) -> Devices:
        return Devices(1, "fake 1", (Device("CPU", "a CPU", "cpu", 100, 50),))

    def ping(self) -> float:
        if self.closed:
            raise CancelledByUser
        return 0.001

    def unload(self) -> None:
        self._refuse_if_busy()
        self.unloads += 1
        self._loaded = None

    def close(self) -> None:
        self.closed = True
        self._loaded = None
