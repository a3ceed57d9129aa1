"""Desktop entry, metainfo and icons agree with each other and with the app."""

from __future__ import annotations

import configparser
import struct
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from openshelf import __version__
from openshelf.paths import APP_ID

ROOT = Path(__file__).resolve().parents[2]
LINUX = ROOT / "packaging" / "linux"


@pytest.fixture
def desktop_entry() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(LINUX / f"{APP_ID}.desktop", encoding="utf-8")
    return parser["Desktop Entry"]


@pytest.fixture
def metainfo() -> ElementTree.Element:
    return ElementTree.parse(LINUX / f"{APP_ID}.metainfo.xml").getroot()


def test_desktop_entry_names_the_app(desktop_entry: configparser.SectionProxy) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert desktop_entry["Type"] == "Application"
    assert desktop_entry["Exec"] in project["scripts"]
    assert desktop_entry["Icon"] == APP_ID
    assert desktop_entry["StartupWMClass"] == APP_ID
    assert desktop_entry["Terminal"] == "false"
    assert desktop_entry["Categories"].endswith(";")


def test_metainfo_agrees(
    metainfo: ElementTree.Element, desktop_entry: configparser.SectionProxy
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert metainfo.findtext("id") == APP_ID
    assert metainfo.findtext("launchable") == f"{APP_ID}.desktop"
    assert metainfo.findtext("provides/binary") == desktop_entry["Exec"]
    assert metainfo.findtext("name") == desktop_entry["Name"]
    assert metainfo.findtext("project_license") == project["license"]
    categories = [category.text for category in metainfo.iterfind("categories/category")]
    assert categories == desktop_entry["Categories"].rstrip(";").split(";")


def test_newest_release_is_this_version(metainfo: ElementTree.Element) -> None:
    newest = metainfo.find("releases/release")
    assert newest is not None
    assert newest.get("version") == __version__


def test_version_stands_in_one_place() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" in pyproject["project"]["dynamic"]
    assert pyproject["tool"]["hatch"]["version"]["path"] == "openshelf/__init__.py"
    repeated = [
        file.name
        for file in (ROOT / "packaging").rglob("*")
        if file.suffix in (".py", ".spec", ".desktop", ".md")
        and __version__ in file.read_text("utf-8")
    ]
    assert repeated == []


@pytest.mark.parametrize("pixels", [128, 512])
def test_icon_has_its_size(pixels: int) -> None:
    data = (LINUX / "icons" / f"{APP_ID}-{pixels}.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == (pixels, pixels)


def test_icon_is_drawn_by_qt(qapp: object) -> None:
    from PySide6.QtGui import QIcon

    image = QIcon(str(ROOT / "resources" / "icons" / "openshelf.svg")).pixmap(64, 64).toImage()
    assert image.pixelColor(32, 60).name() == "#1f6b57"
    assert image.pixelColor(0, 0).alpha() == 0
