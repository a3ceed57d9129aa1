"""Who imports what: Qt, llama.cpp, the Hub's client and sockets each have one home, and nothing
heavy is imported at start-up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.source_tree import imported_names

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "openshelf"

NETWORK_CLIENTS = {
    "socket", "socketserver", "ssl", "asyncio", "http", "urllib.request", "urllib3", "requests",
    "httpx", "httpx2", "httpcore2", "aiohttp", "ftplib", "smtplib", "xmlrpc",
}  # fmt: skip
# Imported name → the beginnings of the paths that may import it.
HOMES = {
    "PySide6": ("ui/",),
    "shiboken6": ("ui/",),
    "llama_cpp": ("engine/worker",),
    "huggingface_hub": ("hub/",),
    **dict.fromkeys(
        NETWORK_CLIENTS, ("hub/", "network.py", "network_connections.py", "engine/remote")
    ),
}
# Of QtNetwork only the local socket by which a second start finds the first.
LOCAL_SOCKETS = {"QLocalServer", "QLocalSocket"}
HEAVY = {"llama_cpp", "huggingface_hub", "gguf", "numpy", "requests", "httpx2", "jinja2"}


def strangers(source: str, path: str) -> list[str]:
    """What `source`, lying at `path` inside the package, imports though its home is elsewhere."""
    found = set()
    for name in imported_names(source):
        for owned, homes in HOMES.items():
            if (name == owned or name.startswith(f"{owned}.")) and not path.startswith(homes):
                found.add(owned)
        module, _, last = name.rpartition(".")
        if module == "PySide6.QtNetwork" and last not in LOCAL_SOCKETS:
            found.add(name)
    return sorted(found)


def modules() -> list[str]:
    return sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", modules())
def test_module_imports_only_what_it_may(path: str) -> None:
    assert strangers((PACKAGE / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("def f():\n    from PySide6.QtCore import QObject", "fit/memory.py", ["PySide6"]),
        ("import llama_cpp", "engine/process.py", ["llama_cpp"]),
        ("import llama_cpp.llama_chat_format", "engine/worker_llama.py", []),
        ("import_module('huggingface_hub')", "services.py", ["huggingface_hub"]),
        ("import urllib.parse", "catalog/entries.py", []),
        ("from urllib import request", "catalog/entries.py", ["urllib.request"]),
        ("import socket", "library/install.py", ["socket"]),
        ("import socket", "hub/download.py", []),
        ("from PySide6.QtNetwork import QLocalServer", "ui/single_instance.py", []),
        (
            "from PySide6.QtNetwork import QTcpSocket",
            "ui/app.py",
            ["PySide6.QtNetwork.QTcpSocket"],
        ),
    ],
)
def test_the_check_itself(source: str, path: str, expected: list[str]) -> None:
    assert strangers(source, path) == expected


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("openshelf.entry", HEAVY | {"PySide6"}),
        ("openshelf.services", HEAVY | {"PySide6"}),
        ("openshelf.wiring", HEAVY | {"PySide6"}),
        ("openshelf.cli.main", HEAVY | {"PySide6"}),
        ("openshelf.ui.app", HEAVY),
        ("openshelf.engine.worker", HEAVY - {"llama_cpp", "numpy"} | {"PySide6"}),
    ],
)
def test_nothing_heavy_at_start(module: str, forbidden: set[str]) -> None:
    program = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(ran.stdout)) & forbidden == set()
