"""The whole app on a disk without a free byte: a small tmpfs that only this test sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CAN_MOUNT = (
    sys.platform == "linux"
    and shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    ).returncode
    == 0
)
pytestmark = pytest.mark.skipif(not _CAN_MOUNT, reason="no tmpfs can be mounted here")

_FILL = 'mount -t tmpfs -o size=2m none "$OPENSHELF_HOME"; cat /dev/zero > "$OPENSHELF_HOME/fill"; '


def on_a_full_disk(home: Path, commands: str) -> subprocess.CompletedProcess[str]:
    """`commands` (shell; `$APP` is the app) with a home of 2 MiB that is full."""
    home.mkdir()
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{_FILL} {commands}"],
        env={
            **os.environ,
            "OPENSHELF_HOME": str(home),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "APP": f"{sys.executable} -m openshelf",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_window_opens(tmp_path: Path) -> None:
    answer = on_a_full_disk(tmp_path / "full", "exec $APP --smoke")
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr


def test_commands_answer_and_go_on_when_there_is_room(tmp_path: Path) -> None:
    answer = on_a_full_disk(
        tmp_path / "full",
        "$APP list || exit 21; $APP shelf --machine 'CPU only 16 GB' > /dev/null || exit 22; "
        "$APP downloads || exit 23; "
        "$APP policy show > /dev/null || exit 24; "
        "$APP remove nothing; [ $? = 4 ] || exit 25; "
        'rm "$OPENSHELF_HOME/fill"; $APP list 2> "$OPENSHELF_HOME/said" || exit 26; '
        'grep -q "cannot be written" "$OPENSHELF_HOME/said" && exit 27; exit 0',
    )
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr
    assert "cannot be written" in answer.stderr, "it is said, while it is so"
