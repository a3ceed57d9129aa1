"""Whose turn comes next: moved by a person, kept on disk, and obeyed when a place is free."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.bandwidth import Bandwidth, Hours, minute_now
from openshelf.errors import NotFound
from openshelf.library.downloads import DownloadState
from openshelf.library.queue_order import Move, Turn, moved
from openshelf.licenses.acceptance import AcceptanceForm
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import OpenHome
from tests.library.test_downloads import Events, publish, settled, start

LINE = [Turn("a", 1.0, is_running=True), Turn("b", 2.0), Turn("c", 3.0), Turn("d", 4.0)]


@pytest.mark.parametrize(
    ("name", "move", "expected"),
    [
        ("d", Move.NEXT, "adbc"), ("c", Move.UP, "acbd"), ("b", Move.DOWN, "acbd"),
        ("a", Move.UP, "abcd"), ("d", Move.DOWN, "abcd"), ("b", Move.NEXT, "abcd"),
        ("a", Move.NEXT, "abcd"), ("x", Move.UP, "abcd"),
    ],
)  # fmt: skip
def test_moves(name: str, move: Move, expected: str) -> None:
    changed = moved(LINE, name, move)
    after = [replace(turn, order=changed.get(turn.id, turn.order)) for turn in LINE]
    assert "".join(t.id for t in sorted(after, key=lambda turn: turn.order)) == expected


@given(
    st.lists(st.floats(0, 1e9), min_size=1, max_size=8),
    st.integers(0, 7),
    st.sampled_from(list(Move)),
)
def test_orders_stay_apart(orders: list[float], at: int, move: Move) -> None:
    turns = [Turn(str(number), order) for number, order in enumerate(orders)]
    changed = moved(turns, str(at % len(turns)), move)
    after = [changed.get(turn.id, turn.order) for turn in turns]
    if changed:
        assert len(set(after)) == len(after)


def test_next_comes_next(hub: LoopbackHub, open_at: OpenHome) -> None:
    repos = publish(hub, 5)
    hub.bytes_per_second = 400_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    ids = [start(home, repo).id for repo in repos]
    home.downloads.move(ids[4], Move.NEXT)
    home.downloads.move(ids[2], Move.DOWN)
    order = [download.id for download in home.downloads.snapshots()]
    assert order == [ids[0], ids[1], ids[4], ids[3], ids[2]]
    assert [download.id for download in home.kept.listed()] == order, "also for another process"
    hub.bytes_per_second = 0
    for name in ids:
        events.wait(name, DownloadState.DONE)
    began = list(dict.fromkeys(d.id for d in events.seen if d.state is DownloadState.RUNNING))
    assert began[2] == ids[4]


def test_order_of_another_process_is_obeyed(hub: LoopbackHub, open_at: OpenHome) -> None:
    repos = publish(hub, 4)
    hub.bytes_per_second = 400_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    ids = [start(home, repo).id for repo in repos]
    listed = home.kept.move(ids[3], Move.NEXT)
    assert [download.id for download in listed] == [ids[0], ids[1], ids[3], ids[2]]
    hub.bytes_per_second = 0
    for name in ids:
        events.wait(name, DownloadState.DONE)
    began = list(dict.fromkeys(d.id for d in events.seen if d.state is DownloadState.RUNNING))
    assert began[2] == ids[3]
    with pytest.raises(NotFound):
        home.downloads.move("nothing", Move.UP)


def test_own_limit_holds_while_it_runs_and_is_kept(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_000_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    home.downloads.limit(download.id, 20_000)
    hub.bytes_per_second = 0
    hub.stopping.wait(0.5)
    before = part_length(home)
    hub.stopping.wait(1.0)
    assert part_length(home) - before < 200_000, "at full speed all 3 MB would be here"
    home.downloads.pause(download.id)
    settled(home, download.id)
    assert home.kept.find(download.id).limit == 20_000
    home.downloads.limit(download.id, None)
    assert home.kept.find(download.id).limit is None
    home.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)


def part_length(home: object) -> int:
    return sum(part.stat().st_size for part in home.models.rglob("*.part"))  # type: ignore[attr-defined]


def test_limit_of_another_process_is_heard(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 300_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=1)
    assert home.kept.limit(download.id, 5_000_000).limit == 5_000_000
    with events._changed:
        assert events._changed.wait_for(lambda: events.seen[-1].limit == 5_000_000, 30)
    hub.bytes_per_second = 0
    events.wait(download.id, DownloadState.DONE)


def test_outside_of_the_hours_nothing_runs(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    later = (minute_now() + 120) % 1440
    home.downloads.set_bandwidth(Bandwidth(None, Hours(later, (later + 60) % 1440), pauses=True))
    waiting = events.wait(download.id, DownloadState.WAITING)
    assert waiting.reason is not None
    assert waiting.reason.code == "waiting_hours"
    assert waiting.reason.data["start"] == f"{later // 60:02}:{later % 60:02}"
    hub.stopping.wait(0.3)
    sent, asked = hub.sent_bytes, len(hub.bodies())
    hub.stopping.wait(1.0)
    assert (hub.sent_bytes, len(hub.bodies())) == (sent, asked), "zero bytes, and no new connection"
    hub.bytes_per_second = 0
    home.downloads.set_bandwidth(Bandwidth())
    events.wait(download.id, DownloadState.DONE)
    assert (hub.bodies()[-1].range_start or 0) >= waiting.done_bytes


def test_outside_of_the_hours_nothing_begins(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    later = (minute_now() + 120) % 1440
    home.downloads.set_bandwidth(Bandwidth(None, Hours(later, (later + 60) % 1440), pauses=True))
    offer = home.prepare(repo)
    asked = len(hub.requests)
    clearance = home.installer.accept(offer, AcceptanceForm("Ada"))
    download = home.downloads.start(offer, clearance)
    events.wait(download.id, DownloadState.WAITING)
    assert len(hub.requests) == asked, "not even where the file is"
    home.downloads.set_bandwidth(Bandwidth())
    events.wait(download.id, DownloadState.DONE)


def test_offline_wins_over_the_hours(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=1)
    home.downloads.set_offline("hub.example")
    now = minute_now()
    home.downloads.set_bandwidth(Bandwidth(None, Hours(now, (now + 60) % 1440), pauses=True))
    assert settled(home, download.id).state is DownloadState.PAUSED
