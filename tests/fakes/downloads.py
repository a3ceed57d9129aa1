"""Installing and downloads in memory, moved on by the test."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from openshelf.bandwidth import Bandwidth
from openshelf.errors import NotFound, OpenshelfError
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.queue_order import Move, Turn, moved
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.tasks import Announcer, CancelToken, Progress, Report
from tests.fakes.example_data import (
    COMMIT,
    SHA256,
    example_offer,
)
from tests.fakes.library import FakeLibrary


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

    def move(self, download_id: str, move: Move) -> None:
        turns = [Turn(d.id, d.order, d.state is DownloadState.RUNNING) for d in self.all.values()]
        for name, order in moved(turns, download_id, move).items():
            self.change(name, order=order)

    def limit(self, download_id: str, bytes_per_second: int | None) -> None:
        self.change(download_id, limit=bytes_per_second)

    def snapshots(self) -> tuple[Download, ...]:
        return tuple(self.all.values())

    def set_bandwidth(self, bandwidth: Bandwidth) -> None:
        pass

    def set_offline(self, host: str | None) -> None:
        pass

    def close(self) -> None:
        pass


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
