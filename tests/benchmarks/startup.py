"""From the birth of the process to a painted Shelf: median of seven starts, beside a bare window.

Run it by hand: `python tests/benchmarks/startup.py`. The target is 1.5 s of wall time on two cores
with a warm disk. Each start is a process of its own with a fresh folder and no screen.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTS = 7
TARGET_MILLISECONDS = 1500

_BARE_WINDOW = """
import json, sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
import psutil
class Window(QWidget):
    def paintEvent(self, event):
        QTimer.singleShot(0, app.quit)
app = QApplication([])
window = Window()
window.show()
app.exec()
took = round((time.time() - psutil.Process().create_time()) * 1000)
print(json.dumps({"milliseconds": took, "too_early": []}), file=sys.stderr)
"""


def measure(command: list[str]) -> dict[str, object]:
    """One start; the last line of stderr is what it measured of itself."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "OPENSHELF_HOME": home,
            "OPENSHELF_STARTUP_TRACE": "1",
        }
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    answer: dict[str, object] = json.loads(ended.stderr.strip().splitlines()[-1])
    return answer


def median_start(command: list[str]) -> tuple[float, list[dict[str, object]]]:
    measure(command)  # warms the disk
    starts = [measure(command) for _ in range(STARTS)]
    return statistics.median(float(str(start["milliseconds"])) for start in starts), starts


def main() -> int:
    bare, _ = median_start([sys.executable, "-c", _BARE_WINDOW])
    shelf, starts = median_start([sys.executable, "-m", "openshelf"])
    too_early = sorted({name for start in starts for name in list(start["too_early"])})  # type: ignore[call-overload]
    print(f"bare window   {bare:6.0f} ms (median of {STARTS})")  # noqa: T201
    print(f"painted Shelf {shelf:6.0f} ms (median of {STARTS}, target {TARGET_MILLISECONDS} ms)")  # noqa: T201
    print(f"imported too early: {', '.join(too_early) or 'nothing'}")  # noqa: T201
    return 0 if shelf < TARGET_MILLISECONDS and not too_early else 1


if __name__ == "__main__":
    sys.exit(main())
