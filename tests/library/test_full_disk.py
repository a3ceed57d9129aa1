"""A disk that fills up under a download: it rests with the cause, and goes on when there is room.

RLIMIT_FSIZE makes the system itself refuse the bytes, in the download's child as on a full disk.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from openshelf import wording
from openshelf.library.downloads import DownloadState
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import OpenHome
from tests.library.test_downloads import SIZE, Events, publish, start

LIMIT = 1_000_000


@contextmanager
def files_no_longer_than(limit: int) -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_rests_with_the_cause_and_goes_on(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    with files_no_longer_than(LIMIT):
        download = start(home, repo)
        rests = events.wait(download.id, DownloadState.PAUSED)
        assert rests.reason is not None
        assert rests.reason.code == "NotEnoughDisk.file_size"
        assert "are needed" in wording.sentence(rests.reason)
        assert rests.done_bytes == LIMIT
        events.forget()
        home.downloads.resume(download.id)
        still = events.wait(download.id, DownloadState.PAUSED)
        assert still.reason is not None
        assert still.reason.code == "NotEnoughDisk.file_size", "as long as it is full"
    home.downloads.resume(download.id)
    done = events.wait(download.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == LIMIT
    assert hub.bodies()[-1].sent_bytes == SIZE - LIMIT
    assert done.installed_id is not None
    assert not home.library.find(done.installed_id).missing
