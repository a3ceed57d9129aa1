"""Engine builds for tests: the installed one once more, and ones that are wrong in one way each."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from openshelf.engine.build import find_engine

SHIMS = {
    "a longer struct": (
        "struct p { char b[96]; };"
        "struct p llama_model_default_params(void)"
        "{ struct p v; __builtin_memset(&v, 1, sizeof v); return v; }"
    ),
    "a shorter struct": (
        "struct p { char b[152]; };"
        "struct p llama_context_default_params(void)"
        "{ struct p v; __builtin_memset(&v, 1, sizeof v); return v; }"
    ),
    "other fields": "unsigned llama_n_batch(void *c) { return 7; }",
    "wrong numbers": (
        "static float x[64]; float *llama_get_logits_ith(void *c, int i) { return x; }"
    ),
    "a crash": "void llama_backend_init(void) { __builtin_trap(); }",
    "an abort": "void abort(void); void llama_backend_init(void) { abort(); }",
    "an end": "void exit(int); void llama_backend_init(void) { exit(3); }",
    "a hang": 'void llama_backend_init(void) { for (;;) { __asm__ volatile(""); } }',
}
"""What each has instead of the real functions, in C."""


def copy_build(folder: Path) -> Path:
    """The installed build in another folder."""
    engine = find_engine()
    assert engine is not None
    folder.mkdir(parents=True)
    for library in (engine.folder / "lib").iterdir():
        try:
            os.link(library, folder / library.name)
        except OSError:
            shutil.copy2(library, folder / library.name)
    return folder


def break_build(folder: Path, shim: str) -> None:
    """Put a library that is wrong before the real one, which it passes everything else on to."""
    source = folder.parent / f"{folder.name}.c"
    source.write_text(SHIMS[shim])
    library = folder / "libllama.so"
    library.unlink()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O0", "-w", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN",
         "-Wl,--unresolved-symbols=ignore-in-shared-libs", "-o", library, source,
         folder / "libllama.so.0"],
        check=True, timeout=60,
    )  # fmt: skip


def foreign_library(folder: Path) -> None:
    """A real library, and of something else: none of the functions is there."""
    library = folder / "libllama.so"
    library.unlink()
    shutil.copy2(folder / "libggml-base.so", library)
