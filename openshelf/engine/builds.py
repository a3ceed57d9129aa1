"""Which engine build the workers use: the chosen one, else the last good one, else the installed.

Every worker of a build that a person named is asked whether it is sound before it gets a model
(worker_build.py). One that is not, or that dies of the question, is passed over until its files
change, and everybody is told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.children import Door, child_command
from openshelf.engine.build import EngineFiles, find_build, find_engine, library_folder
from openshelf.engine.build_check import start_checked
from openshelf.engine.connection import Connection, worker_environment
from openshelf.engine.kept_builds import INSTALLED, KeptBuild, KeptBuilds, read_kept, write_kept
from openshelf.engine.protocol import Device
from openshelf.errors import EngineFailed, NotFound
from openshelf.reasons import Reason
from openshelf.tasks import Announcer, CancelToken

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Build:
    """A build as it is known now. `folder` is INSTALLED for the binding's own; the version is
    empty and `devices` are none where it was not asked; `modified_at` in seconds since 1970."""

    folder: str
    path: str
    identity: str
    modified_at: float
    engine_version: str = ""
    devices: tuple[Device, ...] = ()
    problem: EngineFailed | None = None


@dataclass(frozen=True)
class Builds:
    """All builds, the installed one first. `problem` is why the chosen one is not in use."""

    builds: tuple[Build, ...]
    chosen: str = INSTALLED
    in_use: str = INSTALLED
    problem: EngineFailed | None = None
    lost: tuple[str, ...] = ()
    """GPUs that the build in use had when it was asked before, and no longer lists."""

    @property
    def without_gpu(self) -> Reason | None:
        """That models run without a GPU that they ran on before."""
        return Reason("engine_lost_gpu", {"names": list(self.lost)}) if self.lost else None

    @property
    def replaced(self) -> Reason | None:
        """That the chosen build is not the one in use; `problem` says why."""
        if self.problem is None:
            return None
        if self.in_use == INSTALLED:
            return Reason("engine_build_replaced_by_installed", {"folder": self.chosen})
        return Reason("engine_build_replaced", {"folder": self.chosen, "instead": self.in_use})

    def build(self, folder: str) -> Build | None:
        return next((build for build in self.builds if build.folder == folder), None)


class EngineBuilds:
    """Keeps the choice and starts workers by it. Thread-safe; `file` is read anew when it changed,
    so that another process's choice counts for the next worker."""

    def __init__(
        self,
        file: Path,
        installed: Callable[[], EngineFiles | None] = find_engine,
        command: Sequence[str] | None = None,
    ) -> None:
        self._command = list(command or child_command(Door.ENGINE_WORKER))
        self.announcer: Announcer[Builds] = Announcer()
        self._file = file
        self._installed = installed
        self._lock = threading.RLock()
        self._read_at: int | None = None
        self._kept = KeptBuilds()
        self._failed: dict[str, tuple[str, EngineFailed]] = {}
        self._announced: Builds | None = None
        self._closing = CancelToken()
        self._lost: dict[str, tuple[str, ...]] = {}

    # --- what is known --------------------------------------------------------------------------

    def current(self) -> Builds:
        """Touches files only."""
        with self._lock:
            kept = self._known()
            chosen = kept.chosen
            in_use = next(iter(self._candidates()), INSTALLED)
            problem = None if in_use == chosen else self._problem_of(chosen)
            builds = [self._installed_build()]
            builds += [self._build(build) for build in kept.builds if build.folder != INSTALLED]
            return Builds(tuple(builds), chosen, in_use, problem, self._lost.get(in_use, ()))

    def identity(self) -> str:
        """Of the build in use; changes with any of its files. Empty where there is none."""
        with self._lock:
            folder = next(iter(self._candidates()), INSTALLED)
            return self._identity_of(folder)

    def _installed_build(self) -> Build:
        files = self._installed()
        known = self._known().build(INSTALLED) or KeptBuild(INSTALLED)
        if files is None:
            return Build(INSTALLED, "", "", 0.0, problem=EngineFailed("engine_missing"))
        is_same = known.identity == files.identity
        return Build(
            INSTALLED,
            str(files.folder),
            files.identity,
            files.modified_at,
            known.engine_version if is_same else "",
            known.devices if is_same else (),
        )

    def _build(self, kept: KeptBuild) -> Build:
        files = find_build(Path(kept.folder))
        return Build(
            kept.folder,
            kept.folder,
            files.identity if files else "",
            files.modified_at if files else 0.0,
            kept.engine_version,
            kept.devices,
            self._problem_of(kept.folder),
        )

    def _problem_of(self, folder: str) -> EngineFailed | None:
        identity = self._identity_of(folder)
        if not identity:
            return EngineFailed("build_gone", folder)
        at, problem = self._failed.get(folder, ("", None))
        if problem is not None and at == identity:
            return problem
        kept = self._known().build(folder)
        if kept is not None and kept.why and kept.identity == identity:
            return EngineFailed(kept.why, kept.detail)
        return None

    def _identity_of(self, folder: str) -> str:
        files = self._installed() if folder == INSTALLED else find_build(Path(folder))
        return files.identity if files is not None else ""

    def _candidates(self) -> list[str]:
        """What may be tried, in order; a choice of the installed one is the only one then."""
        kept = self._known()
        folders = [kept.chosen, *kept.good] if kept.chosen != INSTALLED else []
        usable = [folder for folder in dict.fromkeys(folders) if self._may_be_tried(folder)]
        return [*(folder for folder in usable if folder != INSTALLED), INSTALLED]

    def _may_be_tried(self, folder: str) -> bool:
        identity = self._identity_of(folder)
        return bool(identity) and self._failed.get(folder, ("", None))[0] != identity

    def _known(self) -> KeptBuilds:
        try:
            at = self._file.stat().st_mtime_ns
        except OSError:
            at = None
        if at is not None and at != self._read_at:
            self._kept, self._read_at = read_kept(self._file), at
        return self._kept

    def _keep(self, kept: KeptBuilds) -> None:
        if kept == self._kept:
            return
        self._kept = kept
        try:
            write_kept(self._file, kept)
            self._read_at = self._file.stat().st_mtime_ns
        except OSError as error:
            log.warning("the choice of the engine build is not kept: %s", error)

    # --- choosing -------------------------------------------------------------------------------

    def use(self, path: Path | None, cancel: CancelToken | None = None) -> Build:
        """Check the build at `path` (None: the installed one) and use it from the next load on.

        Raises NotFound (path) where no build lies there, EngineFailed where it cannot be used; then
        everything stays as it was.
        """
        if path is None:
            folder = INSTALLED
        else:
            found = library_folder(path.expanduser())
            if found is None:
                raise NotFound("engine_build", str(path))
            folder = str(found)
            self._check_alone(folder, cancel)
        with self._lock:
            self._keep(replace(self._known(), chosen=folder))
        self._announce()
        build = self.current().build(folder)
        assert build is not None  # noqa: S101 (kept a moment ago)
        return build

    def forget(self, folder: str) -> None:
        """No longer list it; where it was chosen, the installed one is. Raises NotFound."""
        with self._lock:
            if folder == INSTALLED or self._known().build(folder) is None:
                raise NotFound("engine_build", folder)
            self._keep(self._known().without(folder))
            self._failed.pop(folder, None)
        self._announce()

    def note(self, engine_version: str, devices: Sequence[Device]) -> None:
        """What a worker of the build in use said of itself."""
        with self._lock:
            folder = next(iter(self._candidates()), INSTALLED)
            identity = self._identity_of(folder)
            self._note(KeptBuild(folder, identity, engine_version, tuple(devices)))
        self._announce()

    def _note(self, build: KeptBuild) -> None:
        """Keep it, and see whether a GPU is gone since it was asked before."""
        before = self._known().build(build.folder)
        if before is not None and before.identity == build.identity:
            there = {device.name for device in build.devices}
            gone = [gpu for gpu in _gpus(before) if gpu.name not in there]
            still = [name for name in self._lost.get(build.folder, ()) if name not in
                     {gpu.description for gpu in _gpus(build)}]  # fmt: skip
            names = dict.fromkeys([*still, *(gpu.description or gpu.name for gpu in gone)])
            self._lost[build.folder] = tuple(names)
        if before is None or _without_free_bytes(before) != _without_free_bytes(build):
            self._keep(self._known().with_build(build))

    def _check_alone(self, folder: str, cancel: CancelToken | None) -> None:
        """In a worker of its own, so that a model in memory is left alone."""
        problem: EngineFailed
        try:
            self._checked(folder, cancel or self._closing).end()
        except EngineFailed as error:
            problem = error
        else:
            return
        with self._lock:
            if self._known().build(folder) is not None:
                self._note_failure(folder, problem)
        self._announce()
        raise problem

    # --- starting workers -----------------------------------------------------------------------

    def start(self) -> Connection:
        """A worker of the first build that is sound. Raises EngineFailed or EngineDied, where not
        even the installed one starts."""
        while True:
            with self._lock:
                folder = self._candidates()[0]
            if folder == INSTALLED:
                connection = Connection(self._command, worker_environment())
                self._announce()
                return connection
            try:
                connection = self._checked(folder, self._closing)
            except EngineFailed as problem:
                log.warning("the engine build in %s cannot be used: %s", folder, problem)
                with self._lock:
                    self._note_failure(folder, problem)
                self._announce()
                continue
            self._announce()
            return connection

    def close(self) -> None:
        """End a check that is under way; no build is tried from now on."""
        self._closing.cancel()

    def is_current(self, connection: Connection) -> bool:
        """Whether a worker that is started now would use the same build."""
        with self._lock:
            return connection.engine_folder == self._candidates()[0]

    def _checked(self, folder: str, cancel: CancelToken) -> Connection:
        """A worker of the sound build in `folder`. Raises EngineFailed, CancelledByUser."""
        identity = self._identity_of(folder)
        connection, answer = start_checked(self._command, folder, cancel)
        with self._lock:
            build = KeptBuild(folder, identity, answer.engine_version, answer.devices)
            self._failed.pop(folder, None)
            self._note(build)
            self._keep(self._known().with_good(folder))
        return connection

    def _note_failure(self, folder: str, problem: EngineFailed) -> None:
        identity = self._identity_of(folder)
        self._failed[folder] = (identity, problem)
        kept = self._known().build(folder) or KeptBuild(folder)
        failed = replace(kept, identity=identity, why=problem.why, detail=problem.detail)
        self._keep(self._known().with_build(failed))

    def _announce(self) -> None:
        """Where something changed."""
        with self._lock:
            now = self.current()
            if now == self._announced:
                return
            self._announced = now
        self.announcer.announce(now)


def _gpus(build: KeptBuild) -> list[Device]:
    return [device for device in build.devices if device.type in ("gpu", "igpu")]


def _without_free_bytes(build: KeptBuild) -> KeptBuild:
    return replace(build, devices=tuple(replace(device, free_bytes=0) for device in build.devices))
