"""House rules that no linter knows: sizes, names, colors, translation, and who makes clearances."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guards.source_tree import called_name

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_TEST = 500  # cases stand beside each other; nobody has to hold them in mind together
FORBIDDEN_NAMES = {"core", "utils", "helpers", "common", "misc", "manager", "handler", "base"}
_HEX_COLOR = re.compile(
    r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6})\b|^#[0-9a-fA-F]{3}$|:\s*#[0-9a-fA-F]{3}\b"
)


def sources(*folders: str) -> list[str]:
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted(file.relative_to(ROOT).as_posix() for file in files)


def hex_colors(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _HEX_COLOR.search(text):
            yield node.lineno


def untranslatable(tree: ast.AST) -> Iterator[int]:
    """Lines where an f-string is to be translated: lupdate passes over them in silence."""
    for node in ast.walk(tree):
        if called_name(node) in ("tr", "translate"):
            assert isinstance(node, ast.Call)
            if any(isinstance(argument, ast.JoinedStr) for argument in node.args):
                yield node.lineno


def made_clearances(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if called_name(node) == "Clearance":
            yield node.lineno


def lines_with(check: Callable[[ast.AST], Iterator[int]], path: str) -> list[int]:
    return list(check(ast.parse((ROOT / path).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", sources("openshelf", "scripts", "packaging", "tests"))
def test_file_is_short_and_named_for_what_it_holds(path: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
    assert lines <= (LONGEST_TEST if path.startswith("tests/") else LONGEST_FILE)
    assert not {part.removesuffix(".py") for part in Path(path).parts} & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", sources("openshelf"))
def test_source_keeps_the_rules(path: str) -> None:
    if not path.startswith("openshelf/ui/theme/"):
        assert lines_with(hex_colors, path) == [], "a color belongs into ui/theme/tokens.py"
    assert lines_with(untranslatable, path) == [], "self.tr('… {x}').format(x=…) instead"
    if path != "openshelf/policy/gate.py":
        assert lines_with(made_clearances, path) == [], "only the gate makes a Clearance"


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (hex_colors, "QColor('#1F6B57')"),
        (hex_colors, "style = 'QLabel { color: #fff }'"),
        (untranslatable, "self.tr(f'{n} models')"),
        (untranslatable, "QCoreApplication.translate('x', f'{n}')"),
        (made_clearances, "clearance.Clearance(repo='a')"),
    ],
)
def test_the_checks_themselves(check: Callable[[ast.AST], Iterator[int]], source: str) -> None:
    assert list(check(ast.parse(source))) == [1]


def test_qt_stylesheet_files_hold_no_colors() -> None:
    # Icons are tinted from the palette; the app's own icon is a picture.
    styles = list((ROOT / "openshelf").rglob("*.qss")) + list((ROOT / "resources").rglob("*.qss"))
    assert [file.name for file in styles if _HEX_COLOR.search(file.read_text("utf-8"))] == []
