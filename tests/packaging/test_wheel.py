"""The wheel is complete: what is installed from it finds its resources without the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_LOOK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import openshelf, openshelf.paths as paths
print(json.dumps({
    "version": openshelf.__version__,
    "resources": str(paths.resources()),
    "license": paths.apache_license_text().read_text("utf-8"),
    "license_file": str(paths.apache_license_text()),
    "catalog": sum(file.stat().st_size for file in (paths.resources() / "catalog").iterdir()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by hatchling itself: no isolated environment, so no network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_carries_every_resource(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    resources = [file for file in (ROOT / "resources").rglob("*") if file.is_file()]
    assert resources
    for file in resources:
        assert f"openshelf/resources/{file.relative_to(ROOT / 'resources').as_posix()}" in carried
    assert "openshelf/resources/texts/apache-2.0.txt" in carried
    assert not [name for name in carried if name.startswith(("tests/", "scripts/"))]


def test_wheel_names_its_commands_and_licenses(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
        commands = archive.read(entry_points).decode()
    assert "openshelf = openshelf.entry:main" in commands
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names if ".dist-info/" in name}


def test_installed_wheel_opens_its_resources(wheel: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", _LOOK, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(ran.stdout)
    inside = tmp_path / "site" / "openshelf" / "resources"
    assert Path(seen["resources"]) == inside
    assert Path(seen["license_file"]) == inside / "texts" / "apache-2.0.txt"
    assert seen["license"] == (ROOT / "LICENSE").read_text("utf-8")
    assert seen["catalog"] > 0
    assert wheel.name.split("-")[1] == seen["version"]
