"""RAM, and how much of it a container may use: a cgroup's limit counts where it is lower."""

from __future__ import annotations

from pathlib import PurePosixPath

from openshelf.hardware.facts import Memory
from openshelf.hardware.sources import Sources
from openshelf.units import KIB

# cgroup v1 says "no limit" with the largest multiple of a page below 2^63.
_NO_LIMIT = 1 << 60


def probe_memory(sources: Sources) -> Memory:
    """Total and available bytes; a cgroup limit is applied to both."""
    total, available, source = _ram(sources)
    limits = _limits_of_this_process(sources) if sources.system == "Linux" else []
    limits = [limit for limit in limits if limit[0] < total]
    if not limits:
        return Memory(total, available, source)
    # The lowest limit need not be the one of which least is left: others may fill a wider one.
    limit_bytes, _, where = min(limits)
    left_bytes = min(left for _, left, _ in limits)
    return Memory(limit_bytes, max(0, min(available, left_bytes)), f"{source}, {where}")


def _ram(sources: Sources) -> tuple[int, int, str]:
    if sources.system == "Linux":
        values = _meminfo(sources.read("/proc/meminfo") or "")
        if "MemTotal" in values and "MemAvailable" in values:
            return values["MemTotal"], values["MemAvailable"], "/proc/meminfo"
    total, available = sources.virtual_memory()
    return total, available, "psutil"


def _meminfo(text: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number = value.split()
        if number and number[0].isdigit():
            values[name] = int(number[0]) * KIB
    return values


def _limits_of_this_process(sources: Sources) -> list[tuple[int, int, str]]:
    """(limit, what is left of it, where it stands): of this process's cgroup and all above it."""
    found: list[tuple[int, int, str]] = []
    for line in (sources.read("/proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            found += _limits(sources, "/sys/fs/cgroup", path, _V2)
        elif "memory" in controllers.split(","):
            found += _limits(sources, "/sys/fs/cgroup/memory", path, _V1)
    return found


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def _limits(
    sources: Sources, mount: str, path: str, names: tuple[str, str, str]
) -> list[tuple[int, int, str]]:
    limit_name, usage_name, inactive_name = names
    inner = PurePosixPath(path.lstrip("/"))
    # In a container the path is often that of the host and does not exist; the mount itself does.
    folders = [inner, *inner.parents]
    found = []
    for folder in folders:
        base = PurePosixPath(mount) / folder
        limit = sources.read_int(str(base / limit_name))
        if limit is None or limit >= _NO_LIMIT:
            continue
        usage = sources.read_int(str(base / usage_name)) or 0
        stat = _stat(sources.read(str(base / "memory.stat")) or "")
        # File pages that nobody uses go first when memory is asked for, so they count as free.
        used = max(0, usage - stat.get(inactive_name, 0))
        found.append((limit, max(0, limit - used), str(base / limit_name)))
    return found


def _stat(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
