"""Block sizes and type names of GGUF, from the `gguf` package, without its weight.

Importing `gguf` loads numpy and half a tokenizer library (120 ms); its constants are one module of
pure Python, so that one is loaded alone where it lies as a file.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
READABLE_VERSIONS = (2, 3)


class TensorType(NamedTuple):
    """A ggml type: `block` elements take `block_bytes` bytes."""

    name: str
    block: int
    block_bytes: int


def _load_module() -> ModuleType:
    if "gguf.constants" in sys.modules:
        return sys.modules["gguf.constants"]
    package = importlib.util.find_spec("gguf")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "constants.py"
        if path.is_file():
            spec = importlib.util.spec_from_file_location("_openshelf_gguf_constants", path)
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return importlib.import_module("gguf.constants")  # frozen apps keep it in an archive


@functools.cache
def gguf_constants() -> Any:
    """The module `gguf.constants`."""
    return _load_module()


@functools.cache
def tensor_types() -> dict[int, TensorType]:
    """ggml type number → name and block size."""
    return {
        int(kind): TensorType(kind.name, block, size)
        for kind, (block, size) in gguf_constants().GGML_QUANT_SIZES.items()
    }


@functools.cache
def architecture_names() -> frozenset[str]:
    """What `general.architecture` says, of all architectures that the package has a name for."""
    return frozenset(gguf_constants().MODEL_ARCH_NAMES.values())


@functools.cache
def file_types() -> dict[int, str]:
    """`general.file_type` → the label that a file's name would bear."""
    return {
        int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in gguf_constants().LlamaFileType
        if kind.name != "GUESSED"
    }


@functools.cache
def types_by_name() -> dict[str, TensorType]:
    """ggml's own name (Q4_K) → block size."""
    return {kind.name: kind for kind in tensor_types().values()}
