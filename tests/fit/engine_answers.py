"""Asks a llama.cpp what models need, without loading weights; runs as a child, reads jobs.

Standard input holds one JSON list of jobs, standard output gets one of answers. A job names a
`path` (a model whose data may be a hole) or `metadata` (a file with keys alone: llama.cpp makes
every tensor it knows, and `tensors` of the answer tells them), `gpu_layers`, `split`,
`experts_on_cpu` and `asks`: [context, ubatch, outputs, type of keys, type of values, flash
attention] each. An answer has `figures` per ask: {device: [weights, context, compute]} in bytes, or
null where no context came about, and `error`. Each job runs in a process of its own, as some end in
an abort. With OPENSHELF_TEST_RPC (endpoints, comma-separated) those servers stand for GPUs.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as lib
from llama_cpp._ctypes_extensions import load_shared_library

from openshelf.engine.worker_memory import breakdown

_TENSOR_MAP = "_Z29llama_internal_get_tensor_mapB5cxx11PK11llama_model"
_PAIR_BYTES, _POINTER_AT, _LENGTHS_AT = 40, 32, 16
LINES: list[str] = []


@llama_cpp.llama_log_callback
def _keep(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    LINES.append(text.decode("utf-8", "replace"))


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
def _no_data(tensor: int, user_data: int) -> None:
    """The tensors' data are not made."""


class _Override(ctypes.Structure):
    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def _add_servers(base: ctypes.CDLL) -> None:
    endpoints = os.environ.get("OPENSHELF_TEST_RPC", "")
    if not endpoints:
        return
    rpc = load_shared_library("ggml-rpc", lib._base_path)
    ggml = load_shared_library("ggml", lib._base_path)
    rpc.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
    for endpoint in endpoints.split(","):
        ggml.ggml_backend_register(rpc.ggml_backend_rpc_add_server(endpoint.encode()))


def _model_parameters(job: dict[str, Any], keep: list[Any]) -> Any:
    parameters = llama_cpp.llama_model_default_params()
    parameters.no_alloc = True
    parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
    parameters.use_extra_bufts = False
    parameters.n_gpu_layers = job.get("gpu_layers", 0)
    if job.get("split"):
        shares = (ctypes.c_float * 128)(*job["split"])
        keep.append(shares)
        parameters.tensor_split = shares
    if job.get("experts_on_cpu"):
        cpu = load_shared_library("ggml-cpu", lib._base_path)
        cpu.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
        place = cpu.ggml_backend_cpu_buffer_type()
        patterns = [
            rf"blk\.{layer}\.ffn_(up|down|gate|gate_up)_(ch|)exps".encode()
            for layer in range(job["experts_on_cpu"])
        ]
        rows = (_Override * (len(patterns) + 1))(*((name, place) for name in patterns))
        keep.append(rows)
        parameters.tensor_buft_overrides = ctypes.cast(rows, ctypes.c_void_p)
    return parameters


def _load(job: dict[str, Any], base: ctypes.CDLL, parameters: Any) -> Any:
    if "path" in job:
        return llama_cpp.llama_model_load_from_file(job["path"].encode(), parameters)
    base.gguf_init_from_file.restype = ctypes.c_void_p
    base.gguf_init_from_file.argtypes = [ctypes.c_char_p, ctypes.c_uint64, ctypes.c_void_p]

    class _Init(ctypes.Structure):
        _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))

    base.gguf_init_from_file.argtypes = [ctypes.c_char_p, _Init]
    keys = base.gguf_init_from_file(job["metadata"].encode(), _Init(True, None))
    function = lib._lib.llama_model_init_from_user
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, type(parameters)]
    return function(keys, ctypes.cast(_no_data, ctypes.c_void_p), None, parameters)


def _tensors(model: int, base: ctypes.CDLL) -> list[tuple[str, list[int]]]:
    """Names and shapes, each tensor once."""
    function = getattr(lib._lib, _TENSOR_MAP)
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    base.ggml_n_dims.argtypes = [ctypes.c_void_p]
    vector = function(model)
    start, end = (ctypes.c_void_p * 2).from_address(vector)
    found: dict[str, list[int]] = {}
    for at in range(start or 0, end or 0, _PAIR_BYTES):
        text, length = ctypes.c_void_p.from_address(at).value, ctypes.c_size_t.from_address(at + 8)
        name = ctypes.string_at(text or 0, length.value).decode()
        tensor = ctypes.c_void_p.from_address(at + _POINTER_AT).value or 0
        lengths = (ctypes.c_int64 * 4).from_address(tensor + _LENGTHS_AT)
        found[name] = list(lengths)[: base.ggml_n_dims(tensor)]
    return list(found.items())


def _figures(model: Any, ask: list[int]) -> dict[str, list[int]] | None:
    context, ubatch, outputs, keys, values, flash = ask
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = context, 2048, ubatch
    parameters.n_outputs_max = outputs
    parameters.type_k, parameters.type_v = keys, values
    parameters.flash_attn_type = flash
    parameters.swa_full = False
    made = llama_cpp.llama_init_from_model(model, parameters)
    if not made:
        return None
    told = breakdown(made) or ()
    llama_cpp.llama_free(made)
    return {
        d.device: [d.weights_bytes or 0, d.kv_cache_bytes or 0, d.compute_buffer_bytes]
        for d in told
    }


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    base = load_shared_library("ggml-base", lib._base_path)
    llama_cpp.llama_log_set(_keep, ctypes.c_void_p(0))
    _add_servers(base)
    llama_cpp.llama_backend_init()
    keep: list[Any] = []
    model = _load(job, base, _model_parameters(job, keep))
    if not model:
        return {"error": "".join(LINES[-6:])}
    answer: dict[str, Any] = {}
    if "metadata" in job:
        answer["tensors"] = _tensors(model, base)
    LINES.clear()
    answer["figures"] = [_figures(model, ask) for ask in job["asks"]]
    if None in answer["figures"]:
        answer["error"] = "".join(LINES[-6:])
    return answer


def _apart(job: dict[str, Any]) -> dict[str, Any]:
    """The answer of a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            text = json.dumps(_answer(job))
        except (AssertionError, OSError, TypeError, ValueError) as error:
            text = json.dumps({"error": repr(error)})
        with os.fdopen(writer, "w") as file:
            file.write(text)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(text) if text else {"error": f"ended by {status}"}
    return found


def main() -> None:
    jobs = json.load(sys.stdin)
    answers = [_apart(job) for job in jobs]
    sys.stdout.write("\n" + json.dumps(answers))  # behind what the engine may have printed


if __name__ == "__main__":
    main()
