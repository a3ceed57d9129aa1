"""Shards of one download: two at a time, one where another download wants the line."""

from __future__ import annotations

import pytest

from openshelf.errors import CancelledByUser, ChecksumMismatch, ClearanceRefused
from openshelf.hub.fetching import FileSlots
from openshelf.library.downloads import DownloadState
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.policy.organization import Policy
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes
from tests.library.conftest import Home, OpenHome
from tests.library.test_downloads import Events, start

REPO = "ada/Big-GGUF"
SIZE = 1_000_000
SHARDS = tuple(f"Big-Q4_K_M-0000{number}-of-00004.gguf" for number in range(1, 5))


def publish(hub: LoopbackHub) -> None:
    files = {name: some_bytes(SIZE, number) for number, name in enumerate(SHARDS)}
    hub.add_repo(REPO, files, card={"license": "mit"})


def install(home: Home, cancel: CancelToken | None = None, report: object = no_report) -> object:
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    return home.installer.install(offer, clearance, cancel or CancelToken(), report)  # type: ignore[arg-type]


def test_places() -> None:
    slots, first, second = FileSlots(2), CancelToken(), CancelToken()
    slots.enter()
    assert slots.try_extra(first)
    assert not slots.try_extra(second)
    slots.enter()
    assert first.is_cancelled, "another download begins, and gets its place"
    slots.end_extra(first)
    assert not slots.try_extra(second)
    slots.leave()
    assert slots.try_extra(second)


def test_two_shards_at_a_time_and_progress_of_all(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint)
    seen: list[Progress] = []
    most = 0

    def report(progress: Progress) -> None:
        nonlocal most
        seen.append(progress)
        unfinished = [r for r in hub.bodies() if r.status == 200 and r.sent_bytes < SIZE]
        most = max(most, len(unfinished))

    install(home, report=report)
    assert most == 2
    assert {progress.total for progress in seen} == {4 * SIZE}
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == 4 * SIZE
    assert hub.sent_bytes == 4 * SIZE


def test_one_bad_shard_ends_all_and_is_named(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    hub.bytes_per_second = 2_000_000
    wanted = hub.repos[REPO.casefold()]
    sha256 = wanted.commits[wanted.head][SHARDS[1]].sha256
    hub.faults.add("corrupt", path=sha256, offset=1000)
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(ChecksumMismatch) as error:
        install(home)
    assert error.value.path == SHARDS[1]
    assert home.library.installed() == ()
    sent = hub.sent_bytes
    install(home)
    assert hub.sent_bytes - sent < 4 * SIZE, "what was right is not fetched again"


def test_a_policy_that_changes_meanwhile_counts_for_the_next_shard(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)

    def report(progress: Progress) -> None:
        if progress.done > 100_000:
            home.parts.gate.adopt(Policy(sha256="f" * 64))

    with pytest.raises(ClearanceRefused) as error:
        install(home, report=report)
    assert error.value.why == "stale_policy"
    assert hub.sent_bytes <= 2 * SIZE, "only what had begun"
    assert home.library.installed() == ()


def test_stopped_by_a_person(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    hub.bytes_per_second = 500_000
    home = open_at(endpoint=hub.endpoint)
    cancel = CancelToken()

    def report(progress: Progress) -> None:
        if progress.done > 300_000:
            cancel.cancel()

    with pytest.raises(CancelledByUser):
        install(home, cancel, report)
    sent = hub.sent_bytes
    hub.stopping.wait(0.5)
    assert hub.sent_bytes == sent, "both are off the line"


def test_another_download_gets_the_second_place(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    hub.add_repo(
        "ada/Small-GGUF", {"Small-Q4_K_M.gguf": some_bytes(SIZE, 9)}, card={"license": "mit"}
    )
    hub.bytes_per_second = 400_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    large = start(home, REPO)
    events.wait(large.id, DownloadState.RUNNING, done_bytes=300_000)
    small = start(home, "ada/Small-GGUF")
    events.wait(small.id, DownloadState.RUNNING, done_bytes=50_000)
    assert home.downloads._parts.place.slots._extras == []
    hub.bytes_per_second = 0
    for download in (small, large):
        events.wait(download.id, DownloadState.DONE)
    assert hub.sent_bytes < 5 * SIZE + (4 << 20), "what was put back went on where it stopped"
