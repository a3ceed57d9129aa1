"""Asks the installed llama.cpp for a model's CPU buffers, without loading weights; runs as a child.

Arguments: file, then context, ubatch, n_outputs_max, KV type (1 f16, 8 q8_0) and flash attention
(0 off, 1 on) for each question, separated by commas. Prints one JSON list of [KV, compute] in MiB.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys

import llama_cpp

LINES: list[str] = []


@llama_cpp.llama_log_callback
def _keep(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    LINES.append(text.decode("utf-8", "replace"))


def _figures(model: ctypes.c_void_p, question: str) -> list[float]:
    context, ubatch, outputs, kv_type, flash = map(int, question.split(","))
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = context
    parameters.n_batch = 2048
    parameters.n_ubatch = ubatch
    parameters.n_outputs_max = outputs
    parameters.type_k = parameters.type_v = kv_type
    parameters.flash_attn_type = flash
    parameters.swa_full = False
    LINES.clear()
    made = llama_cpp.llama_init_from_model(model, parameters)
    assert made, "".join(LINES)
    llama_cpp.llama_free(made)
    text = "".join(LINES)
    kv_cache = re.findall(r"size\s*=\s*([\d.]+) MiB \(\s*\d+ cells", text)
    compute = re.findall(r"CPU\s+compute buffer size\s*=\s*([\d.]+) MiB", text)
    return [sum(map(float, kv_cache)), float(compute[-1])]


def main() -> None:
    path, *questions = sys.argv[1:]
    llama_cpp.llama_log_set(_keep, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_default_params()
    parameters.no_alloc = True
    parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
    parameters.use_extra_bufts = False
    model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
    assert model, "".join(LINES)
    sys.stdout.write(json.dumps([_figures(model, question) for question in questions]))


if __name__ == "__main__":
    main()
