"""The offline switch under running downloads: the line is empty, and off again they go on."""

from __future__ import annotations

from openshelf import wording
from openshelf.library.downloads import DownloadState
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import OpenHome
from tests.library.test_downloads import Events, publish, settled, start


def test_what_runs_rests_and_goes_on_by_itself(hub: LoopbackHub, open_at: OpenHome) -> None:
    repos = publish(hub, 2)
    hub.bytes_per_second = 600_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    runs, paused = (start(home, repo) for repo in repos)
    for download in (runs, paused):
        events.wait(download.id, DownloadState.RUNNING, done_bytes=50_000)
    home.downloads.pause(paused.id)
    home.downloads.set_offline("hub.example")
    rests = settled(home, runs.id)
    settled(home, paused.id)
    assert rests.state is DownloadState.PAUSED
    assert rests.reason is not None
    assert "Offline mode is on" in wording.sentence(rests.reason)
    sent, asked = hub.sent_bytes, len(hub.requests)
    hub.stopping.wait(0.5)
    assert (hub.sent_bytes, len(hub.requests)) == (sent, asked), "zero bytes on the wire"
    hub.bytes_per_second = 0
    home.downloads.set_offline(None)
    events.wait(runs.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == rests.done_bytes
    states = {download.id: download.state for download in home.downloads.snapshots()}
    assert states[paused.id] is DownloadState.PAUSED, "that one a person paused"
