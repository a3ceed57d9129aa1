"""The child process that fetches one file: commands on stdin, progress on stdout.

The token, the proxy and the address come over stdin only; when stdin ends the parent is gone, and
the `.part` stays for the next start.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import IO

from typing_extensions import override

from openshelf import __version__
from openshelf.bandwidth import Pace
from openshelf.children import package_root
from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.hub import wire
from openshelf.hub.client import HubClient
from openshelf.hub.download import DownloadJob, FetchedFile, Line, download_file
from openshelf.hub.rate import RateLimit
from openshelf.network import EgressLog, NetworkOptions, open_pool
from openshelf.tasks import CancelToken, Progress


class _Wire:
    """Lines to the parent; a parent that is gone is the reader's business, not the writer's."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: wire.Message) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(wire.encode(message))
            self._stream.flush()


class _ReportedEgress(EgressLog):
    """Tells the parent of each connection, whose log it is."""

    def __init__(self, lines: _Wire) -> None:
        super().__init__(keep=1)
        self._lines = lines

    @override
    def record(self, host: str, purpose: str, received_bytes: int) -> None:
        self._lines.send(
            {"type": "connection", "host": host, "purpose": purpose, "bytes": received_bytes}
        )


def run_worker() -> int:
    """Body of the child; returns its exit code: 0 done or stopped, 1 failed, 2 no usable job."""
    lines = _Wire(_private_stdout())
    # Unbuffered: a buffer's lock, held by a reader that waits, would abort the interpreter's exit.
    commands = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115
    lines.send({"type": "hello", "version": __version__, "path": str(package_root())})
    try:
        message = wire.decode(commands.readline(wire.MAX_LINE_BYTES))
        job, options = wire.job_from(message)
    except (ValueError, KeyError, TypeError):
        return 2
    cancel = CancelToken()
    limit = RateLimit(Pace(options.bytes_per_second, options.bytes_per_second))
    if message.get("is_paced") and not _follow(commands.readline(wire.MAX_LINE_BYTES), limit):
        cancel.cancel()
    # A daemon: it sits in a read that only the parent can end.
    threading.Thread(
        target=_obey, args=(commands, cancel, limit), name="commands", daemon=True
    ).start()
    return _fetch(job, options, lines, cancel, limit)


def _fetch(
    job: DownloadJob, options: NetworkOptions, lines: _Wire, cancel: CancelToken, limit: RateLimit
) -> int:
    def report(progress: Progress) -> None:
        lines.send(wire.progress_message(progress))

    egress = _ReportedEgress(lines)
    client = HubClient(options, egress=egress)
    try:
        line = Line(client, open_pool(options), limit, egress)
        fetched: FetchedFile = download_file(job, line, cancel, report)
    except CancelledByUser:
        lines.send({"type": "stopped"})
        return 0
    except OpenshelfError as error:
        lines.send(wire.failure_message(error))
        return 1
    lines.send(wire.fetched_message(fetched))
    return 0


def _obey(commands: IO[bytes], cancel: CancelToken, limit: RateLimit) -> None:
    """Follow the parent's commands until its end, which stops the download."""
    while _follow(commands.readline(wire.MAX_LINE_BYTES), limit):
        pass
    cancel.cancel()


def _follow(line: bytes, limit: RateLimit) -> bool:
    """Do what one line says; False where it is the end."""
    if not line:
        return False
    with contextlib.suppress(ValueError, KeyError, TypeError):
        message = wire.decode(line)
        if message["type"] == "stop":
            return False
        if message["type"] == "pace":
            limit.set_pace(wire.pace_from(message))
    return True


def _private_stdout() -> IO[bytes]:
    """A duplicate of stdout for the wire; what anybody prints goes to stderr."""
    sys.stdout.flush()
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb", buffering=0)
