"""What is missing on a machine is told by the exact command that installs it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def prerequisites(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import prerequisites  # type: ignore[import-not-found]

    yield prerequisites
    sys.modules.pop("prerequisites", None)


@pytest.fixture
def tools(prerequisites: ModuleType, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs of a Linux on which an ordinary person works; at first there are none."""
    found: set[str] = set()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(prerequisites, "_visual_studio", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in found else None)
    monkeypatch.delenv("CXX", raising=False)
    return found


@pytest.fixture
def apt_calls(tools: set[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What apt-get is asked as root; `no-mirror` among the tools makes it fail."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        code = 100 if "no-mirror" in tools else 0
        return subprocess.CompletedProcess(command, code, stdout="the mirror is gone\n")

    tools.add("apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    return calls


@pytest.mark.parametrize("name", ["run.py", "test.py", "prepare.py", "prerequisites.py"])
def test_old_pythons_can_read_the_scripts(name: str) -> None:
    # They must get as far as the sentence that says which Python is needed.
    source = (SCRIPTS / name).read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "__future__" not in source


def test_old_python_is_told_which_to_use(
    prerequisites: ModuleType, tools: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(sys, "argv", ["scripts/run.py", "shelf"])
    tools.add("python3.12")
    with pytest.raises(prerequisites.MissingPart) as caught:
        prerequisites.require_python()
    assert "3.9.2" in str(caught.value)
    assert "python3.12 scripts/run.py shelf" in str(caught.value)


def test_old_python_is_told_how_to_install_one(
    prerequisites: ModuleType, tools: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    tools.add("apt-get")
    with pytest.raises(prerequisites.MissingPart, match=r"sudo apt-get install python3\.11 "):
        prerequisites.require_python()


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        ("apt-get", "sudo apt-get install build-essential"),
        ("dnf", "sudo dnf install gcc-c++ make"),
        ("pacman", "sudo pacman -S base-devel"),
    ],
)
def test_missing_compiler(
    prerequisites: ModuleType,
    tools: set[str],
    monkeypatch: pytest.MonkeyPatch,
    installer: str,
    command: str,
) -> None:
    tools.add(installer)
    with pytest.raises(prerequisites.MissingPart) as caught:
        prerequisites.require_compiler()
    assert command in str(caught.value)
    tools.add("c++")
    prerequisites.require_compiler()


def test_named_compiler_counts(
    prerequisites: ModuleType, tools: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "my-compiler -O2")
    assert not prerequisites.has_compiler()
    tools.add("my-compiler")
    assert prerequisites.has_compiler()


def test_root_on_debian_gets_it_installed(
    prerequisites: ModuleType, apt_calls: list[list[str]]
) -> None:
    prerequisites.require_compiler()
    assert apt_calls == [
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "build-essential"],
    ]


def test_failing_apt_is_told_with_its_output(
    prerequisites: ModuleType,
    apt_calls: list[list[str]],
    tools: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools.add("no-mirror")
    with pytest.raises(prerequisites.MissingPart, match="apt-get install build-essential"):
        prerequisites.require_compiler()
    assert "the mirror is gone" in capsys.readouterr().out


def test_missing_libraries_are_named_with_their_packages(
    prerequisites: ModuleType, tools: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"libEGL.so.1", "libxcb-cursor.so.0"}
    monkeypatch.setattr(prerequisites, "_loads", lambda name: name not in missing)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    prerequisites.require_libraries(window=False)
    tools.add("apt-get")
    with pytest.raises(prerequisites.MissingPart) as caught:
        prerequisites.require_libraries(window=True)
    assert "missing: libEGL.so.1." in str(caught.value)
    assert "sudo apt-get install libegl1\n" in str(caught.value)
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(prerequisites.MissingPart, match="libegl1 libxcb-cursor0"):
        prerequisites.require_libraries(window=True)
    tools.symmetric_difference_update({"apt-get", "dnf"})
    with pytest.raises(prerequisites.MissingPart) as caught:
        prerequisites.require_libraries(window=True)
    assert "sudo dnf install 'libEGL.so.1()(64bit)' 'libxcb-cursor.so.0()(64bit)'" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["libm.so.6", "libnowhere.so.7"])
def test_libraries_are_really_looked_for(prerequisites: ModuleType, name: str) -> None:
    assert prerequisites._loads(name) == (name == "libm.so.6" and sys.platform == "linux")


def test_display(prerequisites: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert not prerequisites.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert prerequisites.has_display()


@pytest.mark.parametrize("script", ["run.py", "test.py", "check"])
def test_a_missing_part_is_a_sentence_and_no_traceback(script: str, tmp_path: Path) -> None:
    """The whole script, on a Python that says it is too old."""
    program = (
        "import sys, runpy; sys.version_info = (3, 8, 1); sys.argv[0] = sys.argv[1]; "
        f"sys.path.insert(0, {str(SCRIPTS)!r}); "
        f"runpy.run_path({str(SCRIPTS / script)!r}, run_name='__main__')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "this is Python 3.8.1, and it needs 3.11 or newer" in ran.stderr
    assert "Traceback" not in ran.stderr
