"""Really loads a projector, weights and all, and tells what the log says; runs as a child.

Argument: file. Prints its work buffer in MiB as llama.cpp logs it.
"""

from __future__ import annotations

import ctypes
import re
import sys

import llama_cpp
from llama_cpp import mtmd_cpp

LINES: list[str] = []


@llama_cpp.llama_log_callback
def _keep(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    LINES.append(text.decode("utf-8", "replace"))


def main() -> None:
    llama_cpp.llama_log_set(_keep, ctypes.c_void_p(0))
    mtmd_cpp.mtmd_log_set(_keep, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    params = mtmd_cpp.mtmd_context_params_default()
    params.use_gpu = False
    context = mtmd_cpp.mtmd_init_from_file(sys.argv[1].encode(), None, params)
    assert context, "".join(LINES)
    found = re.findall(r"CPU\s+compute buffer size\s*=\s*([\d.]+) MiB", "".join(LINES))
    mtmd_cpp.mtmd_free(context)
    sys.stdout.write(found[-1])


if __name__ == "__main__":
    main()
