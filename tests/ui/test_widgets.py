"""The shared widgets: what they show, say to a screen reader, and tell."""

from __future__ import annotations

import itertools

import pytest
import shiboken6
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QFont, QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from typing_extensions import override

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.ui.theme import color
from openshelf.ui.widgets import (
    Button,
    Chip,
    ChipKind,
    ElidedLabel,
    FilterChip,
    FitBar,
    FitParts,
    FlowLayout,
    InlineNotice,
    NoticeLevel,
    SegmentedControl,
    TextLabel,
    TickBox,
)
from openshelf.ui.widgets.attachment_bar import attachment_chip
from openshelf.ui.widgets.composer import Composer
from openshelf.ui.widgets.machine_card import MachineCard, short_device_name, shown_gpu
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.rail import RailButton
from tests.fakes.example_data import example_machine, plain_machine

GIB = 1 << 30
_SIZES = st.integers(0, 400 * GIB)


@given(_SIZES, _SIZES, _SIZES, _SIZES)
def test_a_fit_bar_is_never_longer_than_itself(w: int, kv: int, c: int, budget: int) -> None:
    parts = FitParts(w, kv, c, budget)
    segments = parts.segments()
    assert all(segment.share >= 0 for segment in segments)
    assert sum(segment.share for segment in segments) <= 1.000001
    assert any(segment.is_hatched for segment in segments) == (w + kv + c > budget)


def test_a_fit_bar_says_its_parts_in_words(themed_app: QApplication, qtbot: QtBot) -> None:
    bar = FitBar()
    qtbot.addWidget(bar)
    bar.set_parts(FitParts(4 * GIB, GIB, GIB // 2, 7 * GIB))
    for text in ("Weights: 4.0 GiB", "KV cache): 1.0 GiB", "512 MiB", "Stays free: 1.5 GiB"):
        assert text in bar.toolTip()
    assert bar.accessibleDescription() == bar.toolTip().replace("\n", "; ")
    bar.set_parts(FitParts(9 * GIB, GIB, 0, 7 * GIB))
    assert "Too much by 3.0 GiB" in bar.toolTip()


def test_too_much_is_a_shape_and_not_only_a_color(themed_app: QApplication, qtbot: QtBot) -> None:
    bar = FitBar()
    qtbot.addWidget(bar)
    bar.resize(400, 10)
    bar.set_parts(FitParts(8 * GIB, 0, 0, 4 * GIB))
    image = bar.grab().toImage()
    row = image.height() // 2
    colors = [image.pixelColor(x, row) for x in range(image.width() * 5 // 8, image.width() - 20)]
    changes = sum(a != b for a, b in itertools.pairwise(colors))
    assert changes > 20, "stripes"
    left = image.pixelColor(image.width() // 4, row)
    assert left == color("weights")


@pytest.mark.parametrize("text", ["<b>bold</b><img src='file:///etc/passwd'>", "&amp; &x", "a\0b"])
def test_labels_show_hostile_text_as_it_is(
    themed_app: QApplication, qtbot: QtBot, text: str
) -> None:
    for label in (TextLabel(text), Chip(text), ElidedLabel(text)):
        qtbot.addWidget(label)
        assert label.textFormat() == Qt.TextFormat.PlainText
        assert label.text() == text


def test_a_chip_without_room_ends_in_an_ellipsis(themed_app: QApplication, qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    row = QHBoxLayout(holder)
    chip = Chip("Something is unknown: look first", ChipKind.WARNING)
    row.addWidget(chip)
    holder.resize(400, 40)
    holder.show()
    assert not chip.is_elided
    holder.resize(110, 40)
    qtbot.waitUntil(lambda: chip.is_elided)
    assert chip.toolTip() == chip.words == chip.accessibleName()
    chip.show_as("ok", ChipKind.GOOD)
    qtbot.waitUntil(lambda: chip.text() == "ok")


def test_segments_are_chosen_by_mouse_and_arrows(themed_app: QApplication, qtbot: QtBot) -> None:
    control: SegmentedControl[int] = SegmentedControl("Context", [(4, "4K"), (8, "8K")], 8)
    qtbot.addWidget(control)
    with qtbot.waitActive(control):
        control.show()
    assert control.value == 8
    first, _second = (b for b in control.findChildren(QWidget) if b.accessibleName())
    assert first.accessibleName() == "Context: 4K"
    with qtbot.waitSignal(control.value_changed) as heard:
        qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert heard.args == [4]
    with qtbot.waitSignal(control.value_changed) as heard:
        qtbot.keyClick(first, Qt.Key.Key_Right)
    assert heard.args == [8]
    with qtbot.assertNotEmitted(control.value_changed):
        control.choose(4)
        control.choose(99)
    assert control.value == 4


def test_a_filter_keeps_its_choice_when_its_choices_change(
    themed_app: QApplication, qtbot: QtBot
) -> None:
    chip: FilterChip[str | None] = FilterChip("Origin", [(None, "any")])
    qtbot.addWidget(chip)
    chip.set_choices([(None, "any"), ("CN", "China"), ("FR", "France")])
    assert chip.accessibleName() == "Origin: any"
    with qtbot.waitSignal(chip.value_changed) as heard:
        chip.menu().actions()[2].trigger()
    assert heard.args == ["FR"]
    assert chip.property("active") == "true"
    chip.set_choices([(None, "any"), ("FR", "France")])
    assert chip.value == "FR"
    chip.set_choices([(None, "any"), ("US", "United States")])
    assert chip.value is None
    assert chip.property("active") == "false"


def test_a_notice_folds_its_details(themed_app: QApplication, qtbot: QtBot) -> None:
    notice = InlineNotice()
    qtbot.addWidget(notice)
    assert notice.isHidden()
    notice.show_message("It failed.", NoticeLevel.BAD, button="Try again", details="timeout")
    assert notice.accessibleName() == "It failed."
    fold, details = notice._fold, notice._details
    assert details.isHidden()
    qtbot.mouseClick(fold, Qt.MouseButton.LeftButton)
    assert not details.isHidden()
    with qtbot.waitSignal(notice.acted):
        qtbot.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    notice.show_message("It works.", NoticeLevel.GOOD)
    assert notice.button.isHidden()
    assert fold.isHidden()


def test_flow_breaks_lines(themed_app: QApplication, qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    flow = FlowLayout(holder, spacing=6)
    for word in ("one", "two", "three", "four"):
        flow.addWidget(Chip(word))
    assert flow.heightForWidth(1000) < flow.heightForWidth(90)
    holder.resize(90, 200)
    with qtbot.waitExposed(holder):
        holder.show()
    tops = {item.geometry().top() for i in range(4) if (item := flow.itemAt(i)) is not None}
    assert len(tops) > 1


def test_a_tick_box_is_ticked_by_mouse_and_space(themed_app: QApplication, qtbot: QtBot) -> None:
    tick = TickBox("I accept these terms of A & B")
    qtbot.addWidget(tick)
    with qtbot.waitExposed(tick):
        tick.show()
    assert tick.accessibleName() == "I accept these terms of A & B"
    qtbot.mouseClick(tick, Qt.MouseButton.LeftButton)
    assert tick.isChecked()
    qtbot.keyClick(tick, Qt.Key.Key_Space)
    assert not tick.isChecked()
    assert tick.heightForWidth(100) > tick.heightForWidth(400)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA GeForce RTX 4070 Laptop GPU", "RTX 4070 Laptop"),
        ("AMD Ryzen 7 7840HS", "Ryzen 7 7840HS"),
        ("NVIDIA", "NVIDIA"),
        ("", ""),
    ],
)
def test_device_names_are_shortened(name: str, short: str) -> None:
    assert short_device_name(name) == short


def test_the_machine_card_shows_the_usable_gpu(themed_app: QApplication, qtbot: QtBot) -> None:
    machine = example_machine()
    gpu = shown_gpu(machine)
    assert gpu is not None
    assert gpu.id == "gpu:0", "the other one cannot be used by the engine"
    assert shown_gpu(plain_machine()) is None
    card = MachineCard()
    qtbot.addWidget(card)
    card.show_machine(machine)
    texts = [label.text() for label in card.findChildren(TextLabel)]
    assert "8.0 GiB VRAM · 7.1 free" in texts
    assert "32.0 GiB RAM · 21.4 free" in texts
    assert "209 GB free on disk" in texts


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_a_focused_button_is_pressed_by_enter(
    themed_app: QApplication, qtbot: QtBot, key: Qt.Key
) -> None:
    button = Button("Refresh")
    qtbot.addWidget(button)
    with qtbot.waitSignal(button.clicked, timeout=1000):
        qtbot.keyClick(button, key)


def test_enter_chooses_a_segment_and_opens_a_filter(themed_app: QApplication, qtbot: QtBot) -> None:
    control: SegmentedControl[int] = SegmentedControl("Context", [(4, "4K"), (8, "8K")], 8)
    qtbot.addWidget(control)
    with qtbot.waitSignal(control.value_changed) as heard:
        qtbot.keyClick(control._group.button(0), Qt.Key.Key_Return)
    assert heard.args == [4]
    chip: FilterChip[str | None] = FilterChip("Origin", [(None, "any"), ("FR", "France")])
    qtbot.addWidget(chip)
    with qtbot.waitExposed(chip):
        chip.show()
    qtbot.keyClick(chip, Qt.Key.Key_Return)
    qtbot.waitUntil(chip.menu().isVisible)
    chip.menu().close()
    assert not chip.isDown()


class _PaintWatch(QObject):
    """Collects what is painted anew in one widget."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.area = QRegion()
        watched.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.area = self.area.united(event.region())
        return False


def test_the_words_of_an_empty_message_are_drawn_anew(
    themed_app: QApplication, qtbot: QtBot
) -> None:
    composer = Composer()
    qtbot.addWidget(composer)
    composer.set_placeholder("Message the model…")
    with qtbot.waitExposed(composer):
        composer.show()
    # What showing it draws is none of this test's business.
    for _ in range(10):
        QApplication.processEvents()
    watch = _PaintWatch(composer.edit.viewport())
    composer.set_placeholder("Message Qwen3-14B…")
    QApplication.processEvents()
    assert not watch.area.isEmpty()


def test_a_sheet_closes_after_what_had_the_keyboard_is_gone(
    themed_app: QApplication, qtbot: QtBot
) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    row = QLineEdit(host)
    host.show()
    with qtbot.waitActive(host):
        host.activateWindow()
    row.setFocus()
    assert QApplication.focusWidget() is row
    sheet = Overlay(host, width=300, name="sheet")
    sheet.open_sheet()
    shiboken6.delete(row)
    with qtbot.waitSignal(sheet.closed):
        sheet.close_sheet()


def test_an_entry_of_the_rail_has_room_for_larger_letters(
    themed_app: QApplication, qtbot: QtBot
) -> None:
    button = RailButton("Settings")
    qtbot.addWidget(button)
    assert button.sizeHint().height() == 34
    larger = QFont(button.font())
    larger.setPixelSize(30)
    button.setFont(larger)
    assert button.sizeHint().height() >= button.fontMetrics().height() + 14


def test_a_growing_sheet_takes_its_shadow_along(themed_app: QApplication, qtbot: QtBot) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(700, 700)
    with qtbot.waitExposed(host):
        host.show()
    sheet = Overlay(host, width=400, name="Sheet")
    column = QVBoxLayout(sheet.panel)
    content = QWidget()
    content.setFixedHeight(250)
    column.addWidget(content)
    sheet.open_sheet()
    QApplication.processEvents()
    before = sheet.panel.geometry()
    watch = _PaintWatch(sheet)
    content.setFixedHeight(450)
    sheet.fit_panel()
    qtbot.waitUntil(lambda: not watch.area.isEmpty(), timeout=1000)
    QApplication.processEvents()
    for area in (before, sheet.panel.geometry()):
        shadow = area.adjusted(-44, -30, 44, 58)
        for corner in (shadow.topLeft(), shadow.bottomRight()):
            assert watch.area.contains(corner)
    assert sheet.panel.height() > before.height()


def test_no_tooltip_is_read_as_html(themed_app: QApplication) -> None:
    """Qt would, and would read the picture from wherever it is said to lie."""
    name = '<img src="//evil.example/share/x.png">.txt'
    file = Attachment(AttachmentKind.TEXT, name, "text", tokens=3)
    widgets = (attachment_chip(file), Chip(name), TextLabel(name), ElidedLabel(name), Button(name))
    for widget in widgets:
        widget.setToolTip(name)
        assert "&lt;img" in widget.toolTip()
        assert "<img" not in widget.toolTip()
    assert "<img" not in attachment_chip(file).toolTip()
