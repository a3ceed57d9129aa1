"""Messages between the download worker and its parent: one JSON object per line.

Parent to child: `job` (first line), then `stop`, `pace`. Child to parent: `hello`, `progress`,
`connection`, and one of `done`, `stopped`, `failed` at the end.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from openshelf import errors
from openshelf.bandwidth import Pace, parse_hours
from openshelf.errors import NetworkFailure, OpenshelfError
from openshelf.hub.download import DownloadJob, FetchedFile
from openshelf.hub.entries import DownloadFile
from openshelf.network import NetworkOptions
from openshelf.reasons import Reason
from openshelf.tasks import Progress

Message = dict[str, Any]
MAX_LINE_BYTES = 1 << 20


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Raises ValueError for anything but an object with a type."""
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError("not a message")
    return message


def job_message(job: DownloadJob, options: NetworkOptions, *, is_paced: bool = False) -> Message:
    """Holds the token; goes through stdin and nowhere else. With `is_paced` a pace follows, before
    which nothing is asked of anybody."""
    return {
        "type": "job",
        "is_paced": is_paced,
        "file": dataclasses.asdict(job.file),
        "models": str(job.models),
        "is_main": job.is_main,
        "tries": job.tries,
        "stall_seconds": job.stall_seconds,
        "options": dataclasses.asdict(options),
    }


def job_from(message: Message) -> tuple[DownloadJob, NetworkOptions]:
    """Raises KeyError, TypeError, ValueError."""
    options = dict(message["options"])
    job = DownloadJob(
        file=DownloadFile(**message["file"]),
        models=Path(message["models"]),
        is_main=bool(message["is_main"]),
        tries=message["tries"],
        stall_seconds=float(message["stall_seconds"]),
    )
    return job, NetworkOptions(**{**options, "no_proxy": tuple(options["no_proxy"])})


def pace_message(pace: Pace) -> Message:
    return {
        "type": "pace",
        "inside": pace.inside,
        "outside": pace.outside,
        "hours": str(pace.hours) if pace.hours else None,
    }


def pace_from(message: Message) -> Pace:
    """Raises KeyError, TypeError, ValueError."""
    rates = (message["inside"], message["outside"])
    if any(rate is not None and (type(rate) is not int or rate < 0) for rate in rates):
        raise ValueError("not a rate")
    hours = None if message["hours"] is None else parse_hours(message["hours"])
    return Pace(*rates, hours)


def progress_message(progress: Progress) -> Message:
    reason = progress.reason
    return {
        "type": "progress",
        "done": progress.done,
        "total": progress.total,
        "phase": progress.phase,
        "rate": progress.rate_per_second,
        "reason": {"code": reason.code, "data": dict(reason.data)} if reason else None,
    }


def progress_from(message: Message) -> Progress:
    reason = message.get("reason")
    return Progress(
        done=int(message["done"]),
        total=message["total"],
        phase=str(message["phase"]),
        rate_per_second=message.get("rate"),
        reason=Reason(str(reason["code"]), dict(reason["data"])) if reason else None,
    )


def fetched_message(fetched: FetchedFile) -> Message:
    return {"type": "done", **dataclasses.asdict(fetched), "path": str(fetched.path)}


def fetched_from(message: Message) -> FetchedFile:
    return FetchedFile(
        path=Path(message["path"]),
        size_bytes=int(message["size_bytes"]),
        sha256=str(message["sha256"]),
        resumed_from_bytes=int(message["resumed_from_bytes"]),
        was_there=bool(message["was_there"]),
    )


def failure_message(error: OpenshelfError) -> Message:
    return {"type": "failed", "kind": error.kind, "data": error.data()}


def failure_from(message: Message) -> OpenshelfError:
    """The same error as in the child; a NetworkFailure where this version has no such kind."""
    kind = getattr(errors, str(message.get("kind")), None)
    data = message.get("data")
    if isinstance(kind, type) and issubclass(kind, OpenshelfError) and isinstance(data, dict):
        names = {field.name for field in dataclasses.fields(kind)}
        fields = {name: value for name, value in data.items() if name in names}
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    host = str(data.get("host", "")) if isinstance(data, dict) else ""
    why = str(data.get("why", "worker_died")) if isinstance(data, dict) else "worker_died"
    return NetworkFailure(host, why)
