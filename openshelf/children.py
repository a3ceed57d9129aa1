"""How this program starts itself again: engine, downloads, driver probes, attached files, formulas.

A child is the same code as its parent, without tokens, proxies or the folder it was started in.
"""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Mapping
from pathlib import Path


class Door(enum.StrEnum):
    """The hidden first argument by which `entry.py` tells the children apart."""

    ENGINE_WORKER = "--openshelf-engine-worker"
    DOWNLOAD_WORKER = "--openshelf-download-worker"
    PROBE = "--openshelf-probe"
    FORMULA_WORKER = "--openshelf-formula-worker"
    ATTACHMENT = "--openshelf-attachment"


def is_frozen() -> bool:
    return bool(getattr(sys, "frozen", False))


def package_root() -> Path:
    """Folder that holds the `openshelf` package of this very process."""
    return Path(__file__).resolve().parent.parent


def child_command(door: Door, *arguments: str) -> list[str]:
    """The command line of a child; a frozen app re-runs itself with one flag."""
    if is_frozen():
        return [sys.executable, door.value, *arguments]
    # -s and -P: neither the user's site folder nor the current folder can slip a module in.
    return [sys.executable, "-s", "-P", "-m", "openshelf", door.value, *arguments]


# What a child may inherit. Everything else (tokens, proxies, keys of other programs) stays here.
_KEPT = (
    "PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "WINDIR", "COMSPEC",
    "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES",
    "XDG_RUNTIME_DIR", "VK_DRIVER_FILES", "VK_ICD_FILENAMES",
    "OPENSHELF_HOME", "COVERAGE_PROCESS_START",
)  # fmt: skip


def child_environment(
    extra: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A scrubbed environment in which the child imports the same package as its parent."""
    environment = os.environ if environment is None else environment
    kept = {name: environment[name] for name in _KEPT if name in environment}
    if not is_frozen():
        kept["PYTHONPATH"] = str(package_root())
    kept["PYTHONUTF8"] = "1"
    kept.update(extra or {})
    return kept
