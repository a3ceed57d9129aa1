"""Asks llama.cpp which architectures it can load: it keeps no list, so each name is tried."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path

import llama_cpp.llama_cpp as lib

from openshelf.engine.protocol import Architectures, ListArchitectures
from openshelf.engine.worker_failures import Refusal, classify
from openshelf.engine.worker_llama import Log

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an architecture may be called; headers of strangers bring other names too."""
_NOBODYS = "openshelf-no-such-architecture"
_STRING = 8


def list_architectures(request: ListArchitectures, version: str, log: Log) -> Architectures:
    """Every name is loaded as a header that holds nothing else.

    llama.cpp looks the architecture up before anything else, so that every other complaint (a
    missing key, a projector that is no model of its own) means that it knows the name.
    Raises Refusal.
    """
    names = dict.fromkeys(request.names)
    with tempfile.TemporaryDirectory(prefix="openshelf-") as folder:
        known = _known([*names, _NOBODYS], Path(folder) / "stub.gguf", log)
    if _NOBODYS in known:
        # It says no in other words than we read, so that its yes says nothing either.
        raise Refusal("not_told", version)
    return Architectures(
        request.id,
        engine_version=version,
        known=tuple(name for name in names if name in known),
        unknown=tuple(name for name in names if name not in known),
    )


def _known(names: Iterable[str], stub: Path, log: Log) -> set[str]:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    log.is_quiet = True
    try:
        wellformed = [name for name in names if _NAME.fullmatch(name)]
        return {name for name in wellformed if _is_known(name, stub, params, log)}
    finally:
        log.is_quiet = False
        log.clear()


def _is_known(name: str, stub: Path, params: object, log: Log) -> bool:
    stub.write_bytes(_header(name))
    log.clear()
    model = lib.llama_model_load_from_file(str(stub).encode(), params)
    if model is not None:
        lib.llama_model_free(model)
        return True
    why, detail = classify(list(log.errors))
    if why in ("unreadable", "out_of_memory"):
        raise Refusal(why, detail)
    return why != "unsupported_architecture"


def _header(architecture: str) -> bytes:
    """A GGUF file of version 3 without tensors and with one key."""
    key, value = b"general.architecture", architecture.encode()
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", _STRING, len(value)) + value
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair
