"""What tests of downloads share: a file on the loopback Hub, and a download of it right here."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshelf.bandwidth import Pace
from openshelf.hub.cache_layout import Place, place_of
from openshelf.hub.client import HubClient
from openshelf.hub.download import DownloadJob, FetchedFile, Line, download_file
from openshelf.hub.entries import DownloadFile
from openshelf.hub.rate import RateLimit
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.network import EgressLog, NetworkOptions, open_pool
from openshelf.tasks import CancelToken, Progress
from tests.fakes.hub.loopback import LoopbackHub

REPO = "ada/Small-GGUF"
PATH = "Small-Q4_K_M.gguf"


def some_bytes(count: int, seed: int = 1) -> bytes:
    return b"GGUF" + random.Random(seed).randbytes(count - 4)


def publish(
    hub: LoopbackHub, content: bytes | Path, path: str = PATH, **facts: Any
) -> DownloadFile:
    repo = hub.add_repo(REPO, {path: content}, **facts)
    file = repo.commits[repo.head][path]
    return DownloadFile(REPO, repo.head, path, file.size, file.sha256)


def cleared(file: DownloadFile, policy_sha256: str = "") -> Clearance:
    files = (ClearedFile(file.path, file.sha256, file.size_bytes),)
    return Clearance(file.repo, file.commit, files, Verdict.ALLOWED, None, policy_sha256)


@dataclass
class Watch:
    """Collects progress; `at` fires when that many bytes are there, `on_phase` at a phase."""

    seen: list[Progress] = field(default_factory=list)
    at: int | None = None
    phase: str | None = None
    fired: threading.Event = field(default_factory=threading.Event)
    cancel: CancelToken = field(default_factory=CancelToken)
    stops: bool = False

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)
        here = self.at is not None and progress.phase == "downloading" and progress.done >= self.at
        if here or (self.phase is not None and progress.phase == self.phase):
            self.fired.set()
            if self.stops:
                self.cancel.cancel()

    @property
    def reasons(self) -> list[str]:
        return [progress.reason.code for progress in self.seen if progress.reason]


@contextmanager
def open_line(hub: LoopbackHub, **options: Any) -> Iterator[Line]:
    wanted = {"endpoint": hub.endpoint, "read_timeout_seconds": 1.0, **options}
    network = NetworkOptions(**wanted)
    egress = EgressLog()
    client = HubClient(network, egress=egress)
    pool = open_pool(network)
    try:
        yield Line(client, pool, RateLimit(Pace(outside=network.bytes_per_second)), egress)
    finally:
        client.close()
        pool.close()


@dataclass
class Setting:
    """One file on a Hub, and the cache it goes to."""

    hub: LoopbackHub
    file: DownloadFile
    models: Path

    @property
    def place(self) -> Place:
        return place_of(self.models, self.file)

    def download(
        self, watch: Watch | None = None, *, job: dict[str, Any] | None = None, **options: Any
    ) -> FetchedFile:
        watch = watch or Watch()
        with open_line(self.hub, **options) as line:
            wanted = DownloadJob(self.file, self.models, **{"tries": 4, **(job or {})})
            return download_file(wanted, line, watch.cancel, watch)

    def begin(self, count: int) -> None:
        """As if an earlier process had fetched `count` bytes and been killed."""
        from openshelf.hub.cache_layout import write_sidecar

        file = self.hub.blob(self.file.sha256)
        assert file is not None
        self.place.blob.parent.mkdir(parents=True, exist_ok=True)
        self.place.part.write_bytes(file.read(0, count))
        write_sidecar(self.place, self.file)

    def is_installed(self) -> bool:
        """The right file under its name, and nothing unfinished beside it."""
        content = self.hub.blob(self.file.sha256)
        assert content is not None
        blobs = [path.name for path in self.place.blob.parent.iterdir()]
        return (
            blobs == [self.file.sha256]
            and self.place.snapshot.read_bytes() == content.read(0, self.file.size_bytes)
            and not self.place.snapshot.readlink().is_absolute()
        )
