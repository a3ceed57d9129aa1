"""Messages as documents: the same however they arrived, and nothing that a model writes acts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.chat.conversation import Message
from openshelf.ui.models.chat_facts import ShownBranch
from openshelf.ui.theme import color
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.markdown_document import MarkdownDocument, SafeDocument
from openshelf.ui.widgets.text_view import TextView
from openshelf.ui.widgets.transcript import FIRST_MESSAGES, Transcript
from tests.ui.chat_messages import message

TEXT = """# Title
Some **bold**, *thin* and `code`.

1. one
2. two
   - inner

3. three

| a | b |
|---|---|
| 1 | `2` |

```python
def f():

    return "x"
```
> said
> twice

- [ ] open
- [x] done

---
The end
"""
_PIECES = st.sampled_from(
    ["word ", "\n", "\n\n", "```py\n", "```\n", "- x\n", "1. y\n", "   z", "> q\n", "**b** ",
     "| a | b |\n|---|---|\n| c | d |\n\n", "# h\n", "---\n", "`c` ", "[l](https://a.b) "]
)  # fmt: skip


def show(transcript: Transcript, *messages: Message) -> None:
    transcript.show_branch(ShownBranch(1, messages, {}))


def look(document: MarkdownDocument) -> list[tuple[object, ...]]:
    """Text, list, level and margins of every block: what a person would see as different."""
    blocks, block = [], document.begin()
    while block.isValid():
        style, text_list = block.blockFormat(), block.textList()
        number = text_list.itemText(block) if text_list else ""
        blocks.append(
            (block.text(), number, style.headingLevel(), style.leftMargin(), style.topMargin(),
             style.bottomMargin(), QTextCursor(block).currentTable() is not None)
        )  # fmt: skip
        block = block.next()
    return blocks


def whole(text: str) -> MarkdownDocument:
    document = MarkdownDocument()
    document.set_text(text)
    document.finish()
    return document


def streamed(text: str, size: int) -> MarkdownDocument:
    document = MarkdownDocument()
    for end in range(0, len(text), size):
        document.set_text(text[:end])
    document.set_text(text)
    document.finish()
    return document


@pytest.mark.parametrize("size", [1, 7, 64])
def test_streamed_answer_looks_as_if_it_had_been_there_at_once(
    themed_app: QApplication, size: int
) -> None:
    assert look(streamed(TEXT, size)) == look(whole(TEXT))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_PIECES, max_size=14).map("".join), st.integers(1, 9))
def test_any_text_looks_the_same_streamed(themed_app: QApplication, text: str, size: int) -> None:
    assert look(streamed(text, size)) == look(whole(text))


def test_closed_blocks_are_left_alone(themed_app: QApplication) -> None:
    document = MarkdownDocument()
    document.documentLayout()
    document.set_text("first **one**\n\nsecond")
    changes: list[int] = []
    document.contentsChange.connect(lambda at, _removed, _added: changes.append(at))
    document.set_text("first **one**\n\nsecond goes on")
    assert changes
    assert min(changes) >= len("first one")


def test_html_and_images_are_only_text(
    themed_app: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(SafeDocument, "loadResource", lambda _self, _kind, name: asked.append(name))
    document = whole(
        "<b>bold</b> <script>x</script> ![alt](file:///etc/passwd) ![](https://evil.test/p.png)"
    )
    document.setTextWidth(400)
    document.size()
    assert asked == []
    assert "<b>bold</b> <script>x</script> [image: alt]" in document.toPlainText()
    assert "\ufffc" not in document.toPlainText()


def test_front_matter_is_shown_and_not_swallowed(themed_app: QApplication) -> None:
    assert "secret: 1" in whole("---\nsecret: 1\n---\ntext").toPlainText()


def test_link_is_announced_and_not_followed(qtbot: QtBot, themed_app: QApplication) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(400, 100)
    view.set_text("[click me](https://example.com/a?b=ü)")
    view.show()
    place = view.viewport().mapFrom(view, QPoint(20, 8))
    with qtbot.waitSignal(view.link_pressed) as pressed:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert pressed.args == ["https://example.com/a?b=%C3%BC"]
    assert view.toPlainText() == "click me"


def test_code_can_be_copied_as_it_was_written(qtbot: QtBot, themed_app: QApplication) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    view.set_text("text\n```python\ndef f():\n\n    return 1\n```\n")
    view.finish()
    view.findChild(LinkButton).click()
    assert QGuiApplication.clipboard().text() == "def f():\n\n    return 1"


def test_marked_text_stays_marked_while_more_arrives(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.set_text("one two three")
    cursor = view.textCursor()
    cursor.setPosition(4)
    cursor.setPosition(7, QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    view.set_text("one two three four\n\nfive")
    assert view.textCursor().selectedText() == "two"


def test_height_follows_the_text(qtbot: QtBot, themed_app: QApplication) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(300, 50)
    view.show()
    view.set_text("a line")
    low = view.height()
    view.set_text("a line\n\n" + "many words " * 100)
    assert view.height() > low + 100
    assert view.verticalScrollBar().maximum() == 0


def test_transcript_follows_the_end_only_while_the_person_is_there(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(500, 300)
    transcript.show()
    show(transcript, message(1, "user", "q"), message(2, "assistant", "x\n\n" * 60))
    bar = transcript.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    answer = transcript.begin_answer()
    answer.text.show()
    answer.text.set_text("y\n\n" * 40)
    qtbot.waitUntil(lambda: answer.height() > 300 and bar.value() == bar.maximum())
    bar.setValue(10)
    before = bar.maximum()
    answer.text.set_text("y\n\n" * 80)
    qtbot.waitUntil(lambda: bar.maximum() > before)
    assert bar.value() == 10


def test_long_conversations_open_with_their_last_messages(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(500, 300)
    transcript.show()
    count = FIRST_MESSAGES + 15
    show(transcript, *(message(n, "user", f"m{n}") for n in range(count)))
    assert len(transcript.items) == FIRST_MESSAGES
    button = next(b for b in transcript.findChildren(LinkButton) if "15 earlier" in b.text())
    button.click()
    assert [item.text for item in transcript.items[:2]] == ["m0", "m1"]
    assert len(transcript.items) == count
    assert button.isHidden()


def _assert_boxes_are_whole(view: TextView) -> None:
    for section, header in zip(view.content.code_sections, view._headers, strict=False):
        box = view._box(section)
        assert 0 <= box.top() < 40 or section.first_block > 0
        assert box.bottom() <= view.height() + 1
        layout = view.content.documentLayout()
        first = layout.blockBoundingRect(view.content.findBlockByNumber(section.first_block))
        assert header.geometry().top() >= 0
        assert header.geometry().bottom() < first.top(), "the header covers no code"
        assert header.isVisible()


@pytest.mark.parametrize("ending", ["", "\nafter"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_code_block_that_opens_an_answer_has_its_header(
    themed_app: QApplication, qtbot: QtBot, size: int, ending: str
) -> None:
    text = "```python\nprint(1)\nprint(2)\n```" + ending
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(400, 10)
    view.show()
    for end in range(size, len(text) + size, size):
        view.set_text(text[:end])
        _assert_boxes_are_whole(view)
    view.finish()
    _assert_boxes_are_whole(view)
    assert len(view._headers) == 1
    view.set_text("no code")
    view.finish()
    assert view.content.rootFrame().frameFormat().topMargin() == 0
    assert not view._headers[0].isVisible()


def test_streaming_disturbs_neither_what_is_marked_nor_where_the_person_is(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(500, 300)
    transcript.show()
    answer = transcript.begin_answer()
    answer.text.show()
    text = "start of it\n\n" + "line\n\n" * 40 + "- **one** item and `code`\n- two"
    answer.text.set_text(text)
    bar = transcript.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 300 and bar.value() == bar.maximum())
    cursor = answer.text.content.find("item and code")
    answer.text.setTextCursor(cursor)
    bar.setValue(60)
    for piece in (" more words", " and **bold**", "\n\n```py\nx = 1\n", "y\n```\nend", "\n\n$x$"):
        text += piece
        answer.text.set_text(text)
        for _ in range(4):
            themed_app.processEvents()
        assert bar.value() == 60
        assert answer.text.textCursor().selectedText() == "item and code"


def test_earlier_messages_come_as_the_person_scrolls_up_and_nothing_jumps(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(500, 300)
    transcript.show()
    texts = [f"m{n}\n\n" + "line\n\n" * 6 for n in range(60)]
    show(transcript, *(message(n, "assistant", text) for n, text in enumerate(texts)))
    bar = transcript.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 600 and bar.value() == bar.maximum())
    assert len(transcript.items) == FIRST_MESSAGES
    first = transcript.items[0]
    bar.setValue(20)
    place = first.mapTo(transcript.viewport(), QPoint(0, 0)).y()
    qtbot.waitUntil(lambda: len(transcript.items) > FIRST_MESSAGES)
    assert abs(first.mapTo(transcript.viewport(), QPoint(0, 0)).y() - place) <= 2
    before = len(transcript.items)
    for _ in range(20):
        themed_app.processEvents()
    assert len(transcript.items) == before, "only as far as the person looks"


def test_a_long_text_is_shown_in_turns(qtbot: QtBot, themed_app: QApplication) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    text = "word " * 4_000 + "\n\n- the\n- end"
    view.set_text(text)
    view.finish()
    assert len(view.toPlainText()) < 10_000
    qtbot.waitUntil(lambda: view.toPlainText().endswith("the\nend"))
    view.set_text("short")
    view.finish()
    assert view.toPlainText() == "short"
    view.set_text(text)
    view.finish()
    view.make_whole()
    assert look(view.content) == look(whole(text))


def colors_of(view: TextView) -> list[list[tuple[int, int, str]]]:
    lines, block = [], view.content.begin()
    while block.isValid():
        lines.append(
            [
                (one.start, one.length, one.format.foreground().color().name())
                for one in block.layout().formats()
            ]
        )
        block = block.next()
    return lines


CODE = "".join(
    f'def f{n}(x: int) -> str:\n    """Of {n}.\n\nWith an empty line."""\n'
    f'    return f"{{x}}"  # {n}\n\n\n'
    for n in range(40)
)


def test_code_is_colored_while_it_is_written_and_as_if_it_had_been_there(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    streamed_view, whole_view = TextView("Answer"), TextView("Answer")
    for view in (streamed_view, whole_view):
        qtbot.addWidget(view)
        view.resize(500, 400)
        view.show()
    text = f"```python\n{CODE}```\nend"
    for end in range(0, len(text) - 20, 60):
        streamed_view.set_text(text[:end])
        themed_app.processEvents()
    qtbot.waitUntil(lambda: sum(map(bool, colors_of(streamed_view))) > 100)
    assert streamed_view.content.code_sections[0].is_open
    for view in (streamed_view, whole_view):
        view.set_text(text)
        view.finish()
    qtbot.waitUntil(
        lambda: not any(v.content.has_uncolored_code for v in (streamed_view, whole_view))
    )
    assert colors_of(streamed_view) == colors_of(whole_view)
    tinted = sum(map(bool, colors_of(whole_view)))
    assert tinted == sum(bool(line.strip()) for line in CODE.splitlines())


def test_an_endless_line_of_code_is_left_plain(qtbot: QtBot, themed_app: QApplication) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    view.set_text("```json\n" + '{"a": 1}, ' * 2_000)
    view.finish()
    view.make_whole()
    qtbot.waitUntil(lambda: not view.content.has_uncolored_code)
    assert not any(colors_of(view))


def test_quotations_have_their_bar_wherever_they_stand(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    view = TextView("Answer")
    qtbot.addWidget(view)
    view.resize(300, 100)
    view.show()
    text = "before\n\n> said\n\n| a |\n|---|\n| b |\n\n> again\n\n- item\n  > inside\n\nafter"
    for end in range(0, len(text), 3):
        view.set_text(text[:end])
    view.set_text(text)
    view.finish()
    picture = view.grab().toImage()
    layout, block = view.content.documentLayout(), view.content.begin()
    while block.isValid():
        middle = round(layout.blockBoundingRect(block).center().y())
        is_barred = picture.pixelColor(1, middle) == QColor(color("control_line"))
        assert is_barred == (block.text() in ("said", "again", "inside")), block.text()
        block = block.next()
