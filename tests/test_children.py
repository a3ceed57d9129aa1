"""Children get the same code and nothing they have no business with."""

from __future__ import annotations

import subprocess
import sys

from openshelf.children import Door, child_command, child_environment, package_root


def test_secrets_and_proxies_stay_with_the_parent() -> None:
    environment = child_environment(
        environment={
            "PATH": "/bin",
            "HF_TOKEN": "hf_secret",
            "HTTPS_PROXY": "proxy",
            "PYTHONSTARTUP": "/x",
            "AWS_SECRET_ACCESS_KEY": "y",
        }
    )
    assert environment["PATH"] == "/bin"
    assert not environment.keys() & {
        "HF_TOKEN", "HTTPS_PROXY", "PYTHONSTARTUP", "AWS_SECRET_ACCESS_KEY"
    }  # fmt: skip


def test_command_starts_this_interpreter_without_the_current_folder() -> None:
    command = child_command(Door.PROBE, "nvidia")
    assert command[:4] == [sys.executable, "-s", "-P", "-m"]
    assert command[4:] == ["openshelf", "--openshelf-probe", "nvidia"]


def test_child_imports_the_very_same_package(tmp_path) -> None:
    (tmp_path / "openshelf.py").write_text("raise SystemExit('the wrong one')")
    answer = subprocess.run(
        [sys.executable, "-s", "-P", "-c", "import openshelf; print(openshelf.__file__)"],
        env=child_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str(package_root() / "openshelf" / "__init__.py")
