"""The real server of llama.cpp in a child, from the package xllamacpp (test extra)."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("llama_server_child.py")
REAL_MODEL = "SmolLM2"


@contextlib.contextmanager
def llama_server(model: Path, key: str = "") -> Iterator[str]:
    """Its address up to `/v1`. Skips where the package does not exist for this machine."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the package xllamacpp, which holds llama.cpp's server, is not installed here")
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(model), *([key] if key else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        address = child.stdout.readline().strip()
        if not address and child.wait(10) == -4:
            pytest.skip("xllamacpp is built for another CPU (SIGILL)")
        assert address.startswith("http://127.0.0.1:"), f"it ended with {child.poll()}"
        yield f"{address}/v1"
    finally:
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
