"""The little QSS that palettes cannot say: borders, corners, paddings. Fonts are never set here."""

from __future__ import annotations

import dataclasses
from string import Template

from openshelf.ui.theme.tokens import Tokens

_SHEET = Template("""
QToolTip { color: $ink; background: $surface; border: 1px solid $control_line; padding: 5px 7px; }
QLabel { background: transparent; }
QLabel[tone="muted"] { color: $muted; }
QLabel[tone="faint"] { color: $faint; }
QLabel[tone="accent"] { color: $accent; }
QLabel[tone="good"] { color: $good; }
QLabel[tone="warning"] { color: $warning; }
QLabel[tone="bad"] { color: $bad; }

QFrame[kind="card"], QFrame[kind="sheet"] {
    background: $surface; border: 1px solid $line; border-radius: 10px; }
QFrame[kind="header"] { background: $surface; border: 0; border-bottom: 1px solid $line; }
QFrame[kind="rail"] { background: $sunken; border: 0; border-right: 1px solid $line; }
QFrame[kind="panel"] { background: $surface; border: 0; }
QFrame[kind="divider"] { background: $line; border: 0; }
QFrame[kind="well"] { background: $sunken; border: 1px solid $line; border-radius: 8px; }
QFrame[kind="notice"][level="info"] { background: $accent_soft; border: 0; border-radius: 8px; }
QFrame[kind="notice"][level="good"] { background: $good_soft; border: 0; border-radius: 8px; }
QFrame[kind="notice"][level="warning"] { background: $warning_soft; border: 0; border-radius: 8px; }
QFrame[kind="notice"][level="bad"] { background: $bad_soft; border: 0; border-radius: 8px; }

QLabel[chip] { border: 1px solid transparent; border-radius: 6px; padding: 1px 7px; }
QLabel[chip="neutral"] { color: $muted; background: $surface; border-color: $line; }
QLabel[chip="good"] { color: $good; background: $good_soft; }
QLabel[chip="warning"] { color: $warning; background: $warning_soft; }
QLabel[chip="bad"] { color: $bad; background: $bad_soft; }
QLabel[chip="accent"] { color: $accent; background: $accent_soft; }

QPushButton[look] { border: 1px solid $line; border-radius: 7px; padding: 6px 13px;
    background: $surface; color: $ink; }
QPushButton[look]:hover { border-color: $control_line; background: $sunken; }
QPushButton[look]:pressed { background: $line; }
QPushButton[look]:focus { border: 2px solid $accent; padding: 5px 12px; }
QPushButton[look]:disabled { color: $faint; background: $sunken; border-color: $line; }
QPushButton[look="primary"] { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton[look="primary"]:hover, QPushButton[look="primary"]:pressed {
    background: $accent_hover; border-color: $accent_hover; }
QPushButton[look="primary"]:focus { border: 2px solid $ink; }
QPushButton[look="primary"]:disabled { background: $free; color: $faint; border-color: $free; }
QPushButton[look="danger"] { color: $bad; }
QPushButton[look="link"] { border: 1px solid transparent; background: transparent; color: $accent;
    padding: 1px 1px; text-align: left; border-radius: 4px; }
QPushButton[look="link"][tone="muted"] { color: $muted; }
QPushButton[look="link"]:hover { color: $ink; background: transparent; }
QPushButton[look="link"]:focus { border: 1px solid $accent; padding: 1px 1px; }
QPushButton[look="link"]:disabled { color: $faint; background: transparent;
    border-color: transparent; }
QPushButton[look="filter"] { padding: 1px 8px; border-radius: 6px; color: $muted; }
QPushButton[look="filter"][active="true"] { background: $accent_soft; color: $accent;
    border-color: $accent_soft; }
QPushButton[look="filter"]:focus { border: 1px solid $accent; padding: 1px 8px; }
QPushButton[look]::menu-indicator { image: none; width: 0; }

QPushButton[look="nav"] { border: 1px solid transparent; background: transparent; color: $muted;
    text-align: left; padding: 7px 10px; border-radius: 7px; }
QPushButton[look="nav"]:hover { color: $ink; background: $background; }
QPushButton[look="nav"]:checked { background: $surface; color: $ink; border-color: $line; }
QPushButton[look="nav"]:focus { border: 1px solid $accent; padding: 7px 10px; }

QFrame[kind="segments"] { border: 1px solid $line; border-radius: 7px; background: $surface; }
QPushButton[look="segment"] { border: 1px solid transparent; border-radius: 0; padding: 4px 8px;
    color: $muted; background: $surface; }
QPushButton[look="segment"]:hover { color: $ink; }
QPushButton[look="segment"]:checked { background: $accent_soft; color: $accent; }
QPushButton[look="segment"]:focus { border: 1px solid $accent; padding: 4px 8px; }
QPushButton[look="segment"][place="first"] {
    border-top-left-radius: 6px; border-bottom-left-radius: 6px; }
QPushButton[look="segment"][place="last"] {
    border-top-right-radius: 6px; border-bottom-right-radius: 6px; }

QLineEdit, QPlainTextEdit[kind="field"], QTextEdit[kind="field"] {
    background: $surface; color: $ink; border: 1px solid $line; border-radius: 8px;
    padding: 6px 10px; selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:hover { border-color: $control_line; }
QLineEdit:focus, QPlainTextEdit[kind="field"]:focus, QTextEdit[kind="field"]:focus {
    border: 2px solid $accent; padding: 5px 9px; }
QPlainTextEdit[kind="text"] { background: $sunken; color: $ink; border: 1px solid $line;
    border-radius: 8px; padding: 6px; }
QPlainTextEdit[kind="text"]:focus { border-color: $accent; }

QScrollArea, QScrollArea > QWidget > QWidget[kind="content"] { background: transparent; border: 0; }
QScrollArea:focus, QListView[kind="list"]:focus {
    border: 1px solid $accent; border-radius: 6px; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 2px; }
QScrollBar::handle { background: $control_line; border-radius: 4px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QMenu { background: $surface; color: $ink; border: 1px solid $control_line; padding: 4px; }
QMenu::item { padding: 5px 18px 5px 26px; border-radius: 5px; }
QMenu::item:selected { background: $accent_soft; color: $ink; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 6px; }
QMenu::indicator { width: 14px; height: 14px; left: 6px; }
""")


def _mixed(first: str, second: str, share: float) -> str:
    """`first` with `share` of `second` in it."""
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def build_stylesheet(tokens: Tokens) -> str:
    """The application's style sheet in these colors."""
    colors = {key: str(value) for key, value in dataclasses.asdict(tokens).items()}
    colors["accent_hover"] = _mixed(tokens.accent, tokens.ink, 0.14)
    return _SHEET.substitute(colors)
