"""`openshelf downloads [ACTION …]`: what is unfinished, how it goes on, in which order."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

from openshelf.bandwidth import Bandwidth, clock_words, parse_hours, parse_rate
from openshelf.cli.commands.install_command import show_installed
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import refuse_stray
from openshelf.errors import BadWords
from openshelf.library.downloads import Download
from openshelf.library.queue_order import Move
from openshelf.services import Services
from openshelf.units import format_bytes, format_rate

_STOPS = ("pause", "cancel")
_MOVES = tuple(move.value for move in Move)
_NONE = "none"
_BELONGING = {
    "subject": ("pause", "resume", "cancel", *_MOVES, "limit", "hours"),
    "only": ("limit",),
    "pause": ("hours",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("pause", "resume", "cancel", *_MOVES, "limit", "hours"),
        help="next, up and down change the order; limit and hours say how fast, and when",
    )  # fmt: skip
    parser.add_argument(
        "subject", nargs="?", metavar="ID|RATE|HOURS",
        help="a download as listed, its beginning, or TARGET; 2MB/s; 22:00-07:00; none lifts it",
    )  # fmt: skip
    parser.add_argument("--for", dest="only", metavar="ID", help="limit: of this download alone")
    parser.add_argument(
        "--pause", action="store_true", help="hours: outside of them nothing is fetched"
    )


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    refuse_stray(arguments, arguments.action or "list", _BELONGING)
    kept, action, subject = services.kept_downloads, arguments.action, arguments.subject
    if action is None:
        _list(kept.listed(), services.settings.current.bandwidth, output)
    elif action == "limit":
        _limit(arguments, services, output)
    elif action == "hours":
        _hours(arguments, services, output)
    elif subject is None:
        raise BadWords(why="download_needs", name=action)
    elif action == "resume":
        _resume(subject, services, output, interrupts)
    elif action in _MOVES:
        _list(kept.move(subject, Move(action)), services.settings.current.bandwidth, output)
    elif action in _STOPS:
        _stop(action, subject, services, output, interrupts)
    return 0


def _resume(subject: str, services: Services, output: Output, interrupts: Interrupts) -> None:
    started = time.monotonic()
    download = services.kept_downloads.find(subject)
    model = services.kept_downloads.resume(download.id, interrupts.token, output.report)
    seconds = time.monotonic() - started
    show_installed(model, output, resumed_from=download.done_bytes, seconds=seconds)


def _stop(
    action: str, subject: str, services: Services, output: Output, interrupts: Interrupts
) -> None:
    kept = services.kept_downloads
    act = kept.pause if action == "pause" else kept.cancel
    download = act(subject, interrupts.token)
    output.result(download.as_json())
    size = format_bytes(download.done_bytes)
    if action == "pause":
        output.line(f"Paused {download.id} ({download.target}); {size} are kept.")
    else:
        output.line(f"Cancelled {download.id} ({download.target}); nothing of it is left.")


def _limit(arguments: argparse.Namespace, services: Services, output: Output) -> None:
    """Of all together in the settings, of one in its entry; without a rate it is only shown."""
    rate = None if arguments.subject in (None, _NONE) else parse_rate(arguments.subject)
    if rate is None and arguments.subject not in (None, _NONE):
        raise BadWords(why="not_a_rate", name=arguments.subject)
    if arguments.only is not None:
        if arguments.subject is None:
            raise BadWords(why="limit_needs")
        download = services.kept_downloads.limit(arguments.only, rate)
        output.result(download.as_json())
        output.line(f"{download.id} ({download.target}): {_rate_words(download.limit)}.")
        return
    if arguments.subject is not None:
        services.settings.save(replace(services.settings.current, download_limit=rate))
    _show(services.settings.current.bandwidth, output)


def _hours(arguments: argparse.Namespace, services: Services, output: Output) -> None:
    subject = arguments.subject
    if subject is not None:
        hours = None if subject == _NONE else parse_hours(subject)
        if hours is None and subject != _NONE:
            raise BadWords(why="not_hours", name=subject)
        changed = replace(
            services.settings.current,
            download_hours="" if hours is None else str(hours),
            download_pauses=hours is not None and arguments.pause,
        )
        services.settings.save(changed)
    _show(services.settings.current.bandwidth, output)


def _show(bandwidth: Bandwidth, output: Output) -> None:
    output.result({"bandwidth": _facts(bandwidth)})
    output.line(_bandwidth_words(bandwidth))


def _facts(bandwidth: Bandwidth) -> dict[str, Any]:
    return {
        "limit_bytes_per_second": bandwidth.limit,
        "hours": str(bandwidth.hours) if bandwidth.hours else None,
        "outside": "pause" if bandwidth.pauses else "limit",
    }


def _rate_words(rate: int | None) -> str:
    return "no limit" if rate is None else f"at most {format_rate(rate)}"


def _bandwidth_words(bandwidth: Bandwidth) -> str:
    if bandwidth.hours is None:
        return f"All downloads together: {_rate_words(bandwidth.limit)}."
    start, end = clock_words(bandwidth.hours.start), clock_words(bandwidth.hours.end)
    outside = "nothing" if bandwidth.pauses else _rate_words(bandwidth.limit)
    return f"All downloads together: no limit from {start} to {end}, else {outside}."


def _list(downloads: tuple[Download, ...], bandwidth: Bandwidth, output: Output) -> None:
    output.result({"downloads": [download.as_json() for download in downloads]})
    if not downloads:
        output.line("No downloads are unfinished.")
        return
    output.table(
        ("ID", "MODEL", "STATE", "HERE", "OF", "LIMIT"),
        [
            (
                download.id,
                download.target,
                download.state.value,
                format_bytes(download.done_bytes),
                format_bytes(download.total_bytes),
                format_rate(download.limit) if download.limit else "-",
            )
            for download in downloads
        ],
    )
    if bandwidth != Bandwidth():
        output.line(_bandwidth_words(bandwidth))
