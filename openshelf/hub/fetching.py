"""The parent's side of a download: no file is fetched without a clearance for exactly that file."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from openshelf import __version__
from openshelf.bandwidth import SLOWEST, Bandwidth, shares
from openshelf.children import Door, child_command, child_environment, package_root
from openshelf.errors import CancelledByUser, NetworkFailure, OpenshelfError
from openshelf.hub import wire
from openshelf.hub.download import DownloadJob, FetchedFile
from openshelf.hub.entries import DownloadFile
from openshelf.licenses.clearance import Clearance
from openshelf.network import EgressLog, NetworkOptions, require_online
from openshelf.tasks import CancelToken, Report

_KILL_AFTER_SECONDS = 0.6
"""A child that waits for a dead host cannot hear; killing it loses nothing, the `.part` stays."""
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class FetchRequest:
    """One file to fetch into the cache `models`, under which policy, through which network."""

    file: DownloadFile
    models: Path
    options: NetworkOptions
    policy_sha256: str
    is_main: bool = False
    tries: int | None = 8
    """How often to try without a new byte; None for as long as it takes."""
    download_id: str = ""
    """By which a limit of its own is known."""


class RateShare:
    """One limit for all running downloads: each gets its part, told when that changes.

    A download may have a limit of its own, by its id.
    """

    def __init__(self, bandwidth: Bandwidth | None = None) -> None:
        self._bandwidth = bandwidth or Bandwidth()
        self._own: dict[str, int] = {}
        self._children: dict[_Child, str] = {}
        self._lock = threading.Lock()

    @property
    def bandwidth(self) -> Bandwidth:
        return self._bandwidth

    def set_bandwidth(self, bandwidth: Bandwidth) -> None:
        with self._lock:
            self._bandwidth = bandwidth
            self._tell()

    def set_own_limit(self, download_id: str, bytes_per_second: int | None) -> None:
        with self._lock:
            self._own.pop(download_id, None)
            if bytes_per_second is not None:
                self._own[download_id] = bytes_per_second
            self._tell()

    def join(self, child: _Child, download_id: str = "") -> None:
        with self._lock:
            self._children[child] = download_id
            self._tell()

    def leave(self, child: _Child) -> None:
        with self._lock:
            self._children.pop(child, None)
            self._tell()

    def _tell(self) -> None:
        owners = list(self._children.values())
        # Two files of one download at once share its own limit.
        limits = [
            None if name not in self._own else max(SLOWEST, self._own[name] // owners.count(name))
            for name in owners
        ]
        for child, pace in zip(self._children, shares(self._bandwidth, limits), strict=True):
            child.send(wire.pace_message(pace))


class FileSlots:
    """Two files at a time: each download has one for sure, and a second one while nobody else
    needs it; it is taken away again (the `.part` stays) when another download begins."""

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._downloads = 0
        self._extras: list[CancelToken] = []
        self._lock = threading.Lock()

    def enter(self) -> None:
        """A download begins."""
        with self._lock:
            self._downloads += 1
            is_full = self._downloads + len(self._extras) > self._most
            extra = self._extras.pop() if is_full and self._extras else None
        if extra is not None:
            extra.cancel()

    def leave(self) -> None:
        with self._lock:
            self._downloads -= 1

    def try_extra(self, token: CancelToken) -> bool:
        """Take a place for one more file; `token` is cancelled when it is needed."""
        with self._lock:
            if self._downloads + len(self._extras) >= self._most:
                return False
            self._extras.append(token)
            return True

    def end_extra(self, token: CancelToken) -> None:
        with self._lock:
            if token in self._extras:
                self._extras.remove(token)


@dataclass(frozen=True)
class FetchPlace:
    """What fetches share: the log of connections, the limit, and the places."""

    egress: EgressLog
    share: RateShare
    slots: FileSlots = field(default_factory=FileSlots)


def fetch(
    request: FetchRequest,
    clearance: Clearance,
    cancel: CancelToken,
    report: Report,
    place: FetchPlace | None = None,
) -> FetchedFile:
    """Fetch one file in a child process; returns when it is verified and in the cache.

    Raises ClearanceRefused before anything is asked of anybody, CancelledByUser (the `.part`
    stays; nothing is on the wire within a second), and what `download_file` raises.
    """
    file = request.file
    clearance.require(
        repo=file.repo,
        commit=file.commit,
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        policy_sha256=request.policy_sha256,
    )
    require_online(request.options, request.options.host)
    cancel.raise_if_cancelled()
    limit = Bandwidth(request.options.bytes_per_second)
    place = place or FetchPlace(EgressLog(), RateShare(limit))
    with tempfile.TemporaryFile() as stderr:
        child = _Child(request, stderr)
        place.share.join(child, request.download_id)
        cancel.on_cancel(child.stop)
        try:
            outcome = child.follow(report, place.egress)
        finally:
            place.share.leave(child)
            child.close()
        if isinstance(outcome, FetchedFile):
            return outcome
        cancel.raise_if_cancelled()
        raise outcome or _died(request, stderr)


def _died(request: FetchRequest, stderr: IO[bytes]) -> NetworkFailure:
    size = stderr.seek(0, 2)
    stderr.seek(max(0, size - _TAIL_BYTES))
    tail = stderr.read().decode("utf-8", "replace").strip().splitlines()
    return NetworkFailure(request.options.host, "worker_died", tail[-1] if tail else "")


class _Child:
    """A running download worker."""

    def __init__(self, request: FetchRequest, stderr: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            child_command(Door.DOWNLOAD_WORKER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(),
        )
        self._lock = threading.Lock()
        self._killer: threading.Timer | None = None
        job = DownloadJob(
            file=request.file,
            models=request.models,
            is_main=request.is_main,
            tries=request.tries,
            stall_seconds=request.options.read_timeout_seconds,
        )
        self.send(wire.job_message(job, request.options, is_paced=True))

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: wire.Message) -> None:
        stream = self._process.stdin
        # A child that is gone is noticed by whoever reads its answers.
        with self._lock, contextlib.suppress(OSError, ValueError):
            if stream is not None:
                stream.write(wire.encode(message))
                stream.flush()

    def stop(self) -> None:
        """Ask the child to stop, and end it where it does not."""
        self._killer = threading.Timer(_KILL_AFTER_SECONDS, self._process.kill)
        self._killer.daemon = True
        self._killer.start()
        self.send({"type": "stop"})

    def follow(self, report: Report, egress: EgressLog) -> FetchedFile | OpenshelfError | None:
        """Pass on what the child says; its last word, None where it went without one."""
        assert self._process.stdout is not None  # noqa: S101  # it is a pipe, see above
        for line in self._process.stdout:
            try:
                message = wire.decode(line)
                match message["type"]:
                    case "progress":
                        report(wire.progress_from(message))
                    case "connection":
                        egress.record(
                            str(message["host"]), str(message["purpose"]), int(message["bytes"])
                        )
                    case "done":
                        return wire.fetched_from(message)
                    case "failed":
                        return wire.failure_from(message)
                    case "stopped":
                        return CancelledByUser()
                    case "hello" if not _is_same_code(message):
                        return NetworkFailure("", "worker_died", "another version of Openshelf")
            except (ValueError, KeyError, TypeError):
                continue
        return None

    def close(self) -> None:
        """End the child if it has not ended, and wait for it."""
        with self._lock, contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._killer is not None:
            self._killer.cancel()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _is_same_code(hello: wire.Message) -> bool:
    return (hello.get("version"), hello.get("path")) == (__version__, str(package_root()))
