"""Formulas in answers: found, drawn in a child that cannot hold up the window, copied as TeX."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtGui import QColor, QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.ui.theme import Scheme, apply_theme
from openshelf.ui.widgets.formula_marks import MOST_CHARACTERS, mark_formulas
from openshelf.ui.widgets.formula_object import OBJECT_CHARACTER, marked_text
from openshelf.ui.widgets.formulas import FAILED, FORMULAS, Formula
from openshelf.ui.widgets.text_view import TextView

SUM = r"\sum_{i=1}^n \frac{x_i^2}{\sqrt{1 + y_i}}"


@pytest.fixture
def view(qtbot: QtBot, themed_app: QApplication) -> Iterator[TextView]:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    yield view
    FORMULAS.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so $x$ is", ["$x$"]),
        (r"\(a+b\) and \[ c \]", [r"\(a+b\)", r"\[ c \]"]),
        ("$$\na\n$$", ["$$\na\n$$"]),
        ("**$E=mc^2$**", ["$E=mc^2$"]),
        ("$O(n \\log n)$ or $10$", ["$O(n \\log n)$", "$10$"]),
        ("It costs $5 and $6.", []),
        ("$3.50/month or $30/year", []),
        ("from $5 a day to 9$", []),
        ("$HOME and $PATH", []),
        (r"\$5 and \$6$", []),
        (r"\\(no\\)", []),
        ("`$x$` and ``$y` $z$``", []),
        ("$" + "x" * (MOST_CHARACTERS + 1) + "$", []),
    ],
)
def test_formulas_are_told_from_money_and_code(text: str, found: list[str]) -> None:
    marked = mark_formulas(text)
    assert [mark.source for mark in marked.formulas.values()] == found
    for letter, mark in marked.formulas.items():
        text = text.replace(mark.source, letter, 1)
    assert marked.text == text


def test_a_text_full_of_dollars_takes_no_time() -> None:
    start = time.thread_time()
    for text in ("$" * 12_000, "`$" * 6_000, "$a " * 4_000, r"\(" * 6_000, "$$a" * 4_000):
        mark_formulas(text)
    assert time.thread_time() - start < 2


def drawn(qtbot: QtBot, *keys: tuple[str, bool]) -> list[Formula]:
    answers: list[Formula | None] = []

    def all_there() -> bool:
        answers[:] = [FORMULAS.get(key) for key in keys]
        return None not in answers

    qtbot.waitUntil(all_there, timeout=60_000)
    return [answer for answer in answers if answer is not None]


def ink(view: TextView) -> int:
    """How many pixels differ from the ground."""
    picture = view.grab().toImage()
    ground = picture.pixelColor(picture.width() - 2, 2)
    return sum(
        picture.pixelColor(x, y) != ground
        for x in range(0, picture.width(), 2)
        for y in range(0, picture.height(), 2)
    )


def test_a_formula_is_drawn_and_copied_as_tex(view: TextView, qtbot: QtBot) -> None:
    view.set_text(f"before ${SUM}$ behind\n\n$$\n{SUM}\n$$")
    view.finish()
    low = view.height()
    small, large = drawn(qtbot, (SUM, False), (SUM, True))
    assert 0 < small.ascent < small.height < large.height
    qtbot.waitUntil(lambda: view.height() > low + 10)
    assert view.toPlainText().count(OBJECT_CHARACTER) == 2
    cursor = view.textCursor()
    cursor.select(QTextCursor.SelectionType.Document)
    assert marked_text(cursor) == f"before ${SUM}$ behind\n$$\n{SUM}\n$$"
    view.setTextCursor(cursor)
    assert view.createMimeDataFromSelection().text() == marked_text(cursor)


@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK])
def test_it_has_the_color_of_the_text(
    view: TextView, qtbot: QtBot, themed_app: QApplication, scheme: Scheme
) -> None:
    apply_theme(themed_app, scheme)
    try:
        view.set_text(r"$\rule{40px}{20px}$ $\blacksquare$ $\sum$")
        view.finish()
        drawn(qtbot, (r"\blacksquare", False), (r"\sum", False))
        qtbot.waitUntil(lambda: ink(view) > 20)
        wanted = view.content.firstBlock().begin().fragment().charFormat().foreground().color()
        picture = view.grab().toImage()
        colors = {
            picture.pixelColor(x, y).name()
            for x in range(picture.width())
            for y in range(picture.height())
        }
        assert QColor(wanted).name() in colors
    finally:
        apply_theme(themed_app, Scheme.LIGHT)


def test_what_cannot_be_drawn_is_shown_as_it_was_written(view: TextView, qtbot: QtBot) -> None:
    view.set_text(r"see $\nosuch{x}$ and $\frac{$ here")
    view.finish()
    assert drawn(qtbot, (r"\nosuch{x}", False), (r"\frac{", False)) == [FAILED, FAILED]
    qtbot.waitUntil(lambda: view.toPlainText() == r"see $\nosuch{x}$ and $\frac{$ here")


HOSTILE = [
    "{" * 11 + "x" + "}" * 11 + "{" * 11 + "x" + "}" * 11 + "{" * 11 + "y" + "}" * 11,
    "{" * 900 + "x" + "}" * 900,
    r"\sqrt{" * 300 + "x" + "}" * 300,
    r"\hspace{99999cm}x",
    r"\def\x{\x\x}\x",
    "x" * 1_999,
    r"\text{<svg><image href='file:///etc/passwd'/></svg>}",
    "\ud800",
]


def test_hostile_formulas_are_contained_and_the_next_one_is_drawn(
    view: TextView, qtbot: QtBot
) -> None:
    view.set_text(" and ".join(f"$${tex}$$" for tex in HOSTILE) + "\n\n$x^2$")
    view.finish()
    answers = drawn(qtbot, *((tex, True) for tex in HOSTILE), ("x^2", False))
    assert answers[-1] is not FAILED
    assert all(b"image" not in answer.svg for answer in answers)
    assert answers[1] is answers[2] is answers[3] is FAILED


def test_the_window_never_waits_for_a_formula(view: TextView, qtbot: QtBot) -> None:
    start = time.thread_time()
    view.set_text(" ".join(f"${SUM} + {n}$" for n in range(40)))
    assert time.thread_time() - start < 1
    assert FORMULAS.get((f"{SUM} + 39", False)) is None


def test_streamed_formulas_look_as_if_they_had_been_there(view: TextView, qtbot: QtBot) -> None:
    text = f"so ${SUM}$ and\n\n$$\n{SUM}\n$$\n\nthe end"
    drawn(qtbot, (SUM, False), (SUM, True))
    for end in range(0, len(text), 7):
        view.set_text(text[:end])
    view.set_text(text)
    view.finish()
    assert view.toPlainText() == f"so {OBJECT_CHARACTER} and\n{OBJECT_CHARACTER}\nthe end"


def test_a_formula_that_fails_late_takes_nothing_of_what_is_written_below_it(
    view: TextView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source is longer than the character that stood for it: what comes next begins later."""
    monkeypatch.setattr(FORMULAS, "_go_on", lambda: None)
    key = (r"\nosuch{late} + y_1", False)
    text = f"First with ${key[0]}$ inside of it.\n\nSecond **par"
    view.set_text(text)
    assert OBJECT_CHARACTER in view.toPlainText()
    FORMULAS._settle(key, FAILED)
    view.set_text(text + "agraph** goes on")
    assert view.toPlainText() == f"First with ${key[0]}$ inside of it.\nSecond paragraph goes on"
