"""Whether an engine build fits the binding, before a model depends on it.

llama-cpp-python describes llama.cpp's structs by hand for one version. Another build may have
other functions (then the binding cannot even be imported), longer structs, or the same fields in
another order; each would write over memory or be misunderstood silently. So the sizes are measured,
and a model whose answer is known is loaded with parameters that are then read back. Whatever else
is wrong (instructions that this CPU lacks) ends this process, and the parent knows which build.
"""

from __future__ import annotations

import ctypes
import platform
import re
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib

from openshelf.engine.protocol import BuildChecked, CheckBuild, Plan
from openshelf.engine.worker_failures import Refusal
from openshelf.engine.worker_llama import Devices, Log, Model
from openshelf.engine.worker_selftest import extra_buffers_work
from openshelf.engine.worker_stub import NEXT_LOGITS, NEXT_TOKEN, PROMPT, stub_model

_ROOM = 4096
"""Bytes; no struct of llama.cpp's comes near."""
_PLAN = Plan(256, batch=48, ubatch=16, n_threads=1, kv_type_k="f16", kv_type_v="f16")
_CLOSE_ENOUGH = 1e-3


def check_build(request: CheckBuild, devices: Devices, log: Log) -> BuildChecked:
    """Raises Refusal: engine_mixed, engine_layout, engine_wrong_result, or why the load failed."""
    _check_origin(Path(lib._base_path))
    _check_sizes()
    with tempfile.TemporaryDirectory(prefix="openshelf-") as folder:
        path = Path(folder) / "stub.gguf"
        path.write_bytes(stub_model())
        _check_answer(str(path), devices, log)
    return BuildChecked(
        request.id,
        engine_version=devices.version(),
        devices=devices.list(),
        has_extra_buffers=extra_buffers_work(),
    )


def _check_origin(folder: Path) -> None:
    """No library may come from another build: half of each is neither. Told on Linux only."""
    if sys.platform != "linux":
        return
    own = folder.resolve()
    for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
        found = re.search(r"/\S*/lib(?:llama|ggml)[\w.-]*\.so[\d.]*$", line)
        if found and Path(found[0]).parent.resolve() != own:
            raise Refusal("engine_mixed", found[0])


def _check_sizes() -> None:
    """A longer struct would be written over our memory, a shorter one be read past its end.

    Told on x86-64, where a struct that is returned is written to an address that is passed first.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return
    for name, struct in (
        ("llama_model_default_params", lib.llama_model_params),
        ("llama_context_default_params", lib.llama_context_params),
    ):
        theirs, ours = _size_written(name), ctypes.sizeof(struct)
        # What pads the end need not be written.
        if not ours - ctypes.alignment(struct) < theirs <= ours:
            raise Refusal("engine_layout", f"{name} fills {theirs} bytes, expected are {ours}")


def _size_written(name: str) -> int:
    """Up to where a function that returns a struct writes, in bytes."""
    address = ctypes.cast(getattr(lib._lib, name), ctypes.c_void_p).value
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address or 0)
    size = 0
    for filling in (b"\x00", b"\xff"):
        room = ctypes.create_string_buffer(filling * _ROOM, _ROOM)
        function(ctypes.addressof(room))
        size = max(size, len(room.raw.rstrip(filling)))
    return size


def _check_answer(path: str, devices: Devices, log: Log) -> None:
    loading: list[float] = []
    model = Model(path, _PLAN, devices, log, stop=threading.Event(), report=loading.append)
    try:
        if not loading:
            raise Refusal("engine_layout", "it reports no progress of a load")
        _check_read_back(model)
        tokens = (lib.llama_token * len(PROMPT))(*PROMPT)
        result = lib.llama_decode(model.context, lib.llama_batch_get_one(tokens, len(PROMPT)))
        if result:
            raise Refusal("engine_wrong_result", f"decode returned {result}")
        _check_logits(model)
    finally:
        model.close()


def _check_read_back(model: Model) -> None:
    """What was passed in a struct must be what arrived."""
    context = model.context
    expected = {
        "n_ctx": _PLAN.context_length,
        "n_batch": _PLAN.batch,
        "n_ubatch": _PLAN.ubatch,
        "n_seq_max": 1,
        "n_threads": 1,
        "n_threads_batch": 1,
    }
    for name, value in expected.items():
        arrived = getattr(lib, f"llama_{name}")(context)
        if arrived != value:
            raise Refusal("engine_layout", f"{name} = {value} arrived as {arrived}")


def _check_logits(model: Model) -> None:
    logits: Any = lib.llama_get_logits_ith(model.context, -1)
    for index, expected in enumerate(NEXT_LOGITS):
        if abs(logits[index] - expected) > _CLOSE_ENOUGH:
            detail = f"logit {index} is {logits[index]:.5f}, expected is {expected}"
            raise Refusal("engine_wrong_result", detail)
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    try:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        token = lib.llama_sampler_sample(chain, model.context, -1)
    finally:
        lib.llama_sampler_free(chain)
    if token != NEXT_TOKEN:
        raise Refusal("engine_wrong_result", f"token {token}, expected is {NEXT_TOKEN}")
