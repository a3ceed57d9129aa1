"""The engine worker: a child process that loads models and writes answers, and may die of it.

Reads requests from stdin on a thread of its own, so that a stop reaches a running load or answer;
llama.cpp is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import openshelf
from openshelf.engine.protocol import (
    ENGINE_FOLDER,
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    Architectures,
    Bench,
    Benched,
    BuildChecked,
    Chat,
    CheckBuild,
    CountTokens,
    Devices,
    DryRun,
    DryRunResult,
    Event,
    Hello,
    ListArchitectures,
    ListDevices,
    Load,
    Loaded,
    LoadProgress,
    Ping,
    Pong,
    ProjectorDryRun,
    ProjectorLaidOut,
    ProtocolError,
    Refused,
    Request,
    Stop,
    Unload,
    Unloaded,
    decode,
    encode,
)
from openshelf.engine.worker_failures import Refusal
from openshelf.engine.worker_isolation import harden, limited_load, network_fault, take_wire

if TYPE_CHECKING:
    from openshelf.engine.worker_generation import Generator
    from openshelf.engine.worker_llama import Devices as LlamaDevices
    from openshelf.engine.worker_llama import Log, Model
    from openshelf.engine.worker_vision import Vision

_GRACE_SECONDS = 0.5
_OTHER_KINDS = ("adapter", "imatrix", "vocab")
"""What `general.type` may say besides model and mmproj; llama.cpp does not look."""
_JOBS = (
    ListDevices, ListArchitectures, CheckBuild, Load, Chat, CountTokens, Bench, Unload, DryRun,
    ProjectorDryRun,
)  # fmt: skip


@dataclass
class _Job:
    request: Request
    stop: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Takes one job after another; pings and stops are dealt with at once."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests = requests
        self._answers = answers
        self._writing = threading.Lock()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._jobs: dict[int, _Job] = {}
        self._done = threading.Event()
        self._engine: tuple[LlamaDevices, Log] | None = None
        self._model: Model | None = None
        self._generator: Generator | None = None
        self._vision: Vision | None = None

    def send(self, event: Event) -> None:
        line = encode(event)
        try:
            with self._writing:
                self._answers.write(line)
                self._answers.flush()
        except OSError:
            # Nobody reads any more: the parent is gone.
            os._exit(0)

    def run(self) -> None:
        """Until stdin ends."""
        self.send(
            Hello(
                0,
                protocol=PROTOCOL_VERSION,
                package_version=openshelf.__version__,
                package_path=str(Path(openshelf.__file__).resolve().parent),
                pid=os.getpid(),
                engine_folder=os.environ.get(ENGINE_FOLDER, ""),
            )
        )
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while (job := self._queue.get()) is not None:
            self._do(job)
            self._jobs.pop(job.request.id, None)
        self._unload()
        self._done.set()

    # --- reading --------------------------------------------------------------------------------

    def _read(self) -> None:
        while line := self._requests.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = self._requests.readline(MAX_LINE_BYTES)
                self.send(Refused(0, "bad_request", "a line that is too long"))
                continue
            try:
                self._take(decode(line))
            except ProtocolError as error:
                self.send(Refused(0, "bad_request", str(error)[:300]))
        for job in list(self._jobs.values()):
            job.stop.set()
        self._queue.put(None)
        if not self._done.wait(_GRACE_SECONDS):
            os._exit(0)

    def _take(self, message: Request | Event) -> None:
        match message:
            case Ping():
                self.send(Pong(message.id))
            case Stop():
                if (job := self._jobs.get(message.target)) is not None:
                    job.stop.set()
            case Request() if isinstance(message, _JOBS):
                job = self._jobs[message.id] = _Job(message)
                self._queue.put(job)
            case _:
                self.send(Refused(message.id, "bad_request", type(message).__name__))

    # --- doing ----------------------------------------------------------------------------------

    def _do(self, job: _Job) -> None:
        """Every job ends in exactly one last event, whatever happens."""
        request = job.request
        try:
            if job.stop.is_set():
                raise Refusal("cancelled")
            self.send(self._result_of(request, job.stop))
        except Refusal as refusal:
            self.send(
                Refused(
                    request.id,
                    refusal.why,
                    refusal.detail,
                    refusal.tail,
                    refusal.needed_tokens,
                    refusal.context_length,
                )
            )
        except MemoryError:
            self.send(Refused(request.id, "out_of_memory", "Python ran out of memory"))
        except Exception as error:  # noqa: BLE001 (whatever it is, the parent waits for an answer)
            traceback.print_exc()
            detail = f"{type(error).__name__}: {error}"[:300]
            self.send(Refused(request.id, "unexpected", detail))

    def _result_of(self, request: Request, stop: threading.Event) -> Event:
        match request:
            case ListDevices():
                devices, _ = self._llama()
                from openshelf.engine.worker_selftest import extra_buffers_work

                return Devices(
                    request.id,
                    devices.version(),
                    devices.list(),
                    extra_buffers_work(),
                    network_fault(),
                )
            case ListArchitectures():
                return self._architectures(request)
            case CheckBuild():
                return self._check_build(request)
            case Load():
                return self._load(request, stop)
            case DryRun():
                return self._dry_run(request, stop)
            case ProjectorDryRun():
                return self._projector_dry_run(request)
            case Chat():
                if self._generator is None:
                    raise Refusal("no_model")
                return self._generator.answer(request, stop)
            case CountTokens():
                if self._generator is None:
                    raise Refusal("no_model")
                return self._generator.count(request)
            case Bench():
                return self._bench(request, stop)
            case _:
                self._unload()
                return Unloaded(request.id)

    def _llama(self) -> tuple[LlamaDevices, Log]:
        if self._engine is None:
            try:
                from openshelf.engine import worker_llama
            except AttributeError as error:
                # The binding looks every function up while it is imported.
                raise Refusal("engine_lacks", str(error)[:300]) from error
            except (ImportError, OSError, RuntimeError) as error:
                raise Refusal("engine_missing", str(error)[:300]) from error
            self._engine = worker_llama.start(sys.stderr.write)
        return self._engine

    def _load(self, request: Load, stop: threading.Event) -> Loaded:
        _check_header(request.path)
        if request.projector:
            _check_header(request.projector, is_projector=True)
        devices, log = self._llama()
        from openshelf.engine.worker_generation import Generator
        from openshelf.engine.worker_llama import Model

        self._unload()
        told = 0.0

        def report(fraction: float) -> None:
            nonlocal told
            if fraction - told >= 0.01 or fraction >= 1.0 > told:
                told = fraction
                self.send(LoadProgress(request.id, fraction))

        with limited_load(request.plan):
            model = Model(request.path, request.plan, devices, log, stop=stop, report=report)
            self._model = model
            if request.projector:
                self._vision = self._see(model, request, log)
        self._generator = Generator(model, self.send, self._vision)
        return Loaded(
            request.id,
            seconds=model.seconds,
            context_length=model.n_context,
            n_gpu_layers=model.n_gpu_layers,
            architecture=model.metadata("general.architecture"),
            description=model.description(),
            memory_bytes=model.memory_bytes,
            has_template=model.template() is not None,
            devices=model.devices,
            source=model.memory_source,
            engine_version=devices.version(),
            can_see=self._vision is not None,
            engine_folder=os.environ.get(ENGINE_FOLDER, ""),
        )

    def _see(self, model: Model, request: Load, log: Log) -> Vision:
        """Without its projector the model does not stay: nobody would know of it."""
        from openshelf.engine.worker_vision import Vision

        try:
            return Vision(model, request.projector, request.plan, log)
        except BaseException:
            self._unload()
            raise

    def _bench(self, request: Bench, stop: threading.Event) -> Benched:
        if self._model is None:
            raise Refusal("no_model")
        from openshelf.engine.worker_bench import bench
        from openshelf.engine.worker_generation import Generator

        # The context is emptied, so what the generator knows of it is no longer true.
        self._generator = Generator(self._model, self.send, self._vision)
        return bench(request, self._model, stop, self.send)

    def _check_build(self, request: CheckBuild) -> BuildChecked:
        devices, log = self._llama()
        from openshelf.engine.worker_build import check_build

        return check_build(request, devices, log)

    def _architectures(self, request: ListArchitectures) -> Architectures:
        devices, log = self._llama()
        from openshelf.engine.worker_architectures import list_architectures

        return list_architectures(request, devices.version(), log)

    def _dry_run(self, request: DryRun, stop: threading.Event) -> DryRunResult:
        _check_header(request.path)
        devices, log = self._llama()
        from openshelf.engine.worker_dryrun import dry_run

        return dry_run(request, devices, log, stop)

    def _projector_dry_run(self, request: ProjectorDryRun) -> ProjectorLaidOut:
        _check_header(request.path, is_projector=True)
        self._llama()
        from openshelf.engine.worker_projector import projector_dry_run

        return projector_dry_run(request)

    def _unload(self) -> None:
        model, self._model, self._generator = self._model, None, None
        vision, self._vision = self._vision, None
        if vision is not None:
            vision.close()
        if model is not None:
            model.close()
            _give_back_memory()


def _check_header(path: str, *, is_projector: bool = False) -> None:
    """Our own strict reader first: llama.cpp aborts on some wrong integers."""
    from openshelf.errors import CorruptModel, NotFound
    from openshelf.gguf.header import read_header

    try:
        kind = read_header(Path(path)).metadata.get("general.type", "model")
        if kind in _OTHER_KINDS and not is_projector:
            raise Refusal("bad_header", "other_kind", kind)
    except CorruptModel as error:
        raise Refusal("bad_header", error.why, error.detail) from error
    except NotFound as error:
        raise Refusal("unreadable", path) from error


def _give_back_memory() -> None:
    """glibc keeps freed pages of small allocations; a tokenizer is many of those."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def run_worker() -> int:
    """Door of `entry.py`: serve the parent until it goes."""
    requests, answers = take_wire()
    harden()
    Worker(requests, answers).run()
    return 0
