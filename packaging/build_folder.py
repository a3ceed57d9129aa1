"""Builds the one-folder app with PyInstaller in the environment of scripts/run.py, and starts it
once (smoke.py).

    python3 packaging/build_folder.py
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import prepare  # noqa: E402
import prerequisites  # noqa: E402


def run():
    python = prepare.prepare_environment(extras=("package",))
    prerequisites.require_binutils()
    prerequisites.require_shared_python()
    prerequisites.require_libraries(window=True, x11=True)
    spec = ROOT / "packaging" / "openshelf.spec"
    for command in (
        ["-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", str(spec)],
        [str(ROOT / "packaging" / "smoke.py")],
    ):
        done = subprocess.run(
            [str(python), *command], cwd=ROOT, env=prepare.clean_environment(), check=False
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(prepare.reported(run))
