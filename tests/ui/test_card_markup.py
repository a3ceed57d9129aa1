"""Model cards as text: tags become Markdown or go, tricks go, and everything is cut to size."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openshelf.ui.widgets.card_markup import HtmlReducer, without_tricks
from openshelf.ui.widgets.card_pieces import (
    CODE_CHARACTERS,
    PIECE_CHARACTERS,
    PIECE_LINES,
    TABLE_COLUMNS,
    card_pieces,
)
from openshelf.ui.widgets.markdown_blocks import BlockKind, split_blocks
from tests.fakes.example_cards import EXAMPLE_CARD, HOSTILE_CARD, nested_card

MOST = PIECE_CHARACTERS + CODE_CHARACTERS + 500


def reduced(text: str) -> str:
    reducer = HtmlReducer()
    blocks = [reducer.reduce(block).text for block in split_blocks(text)]
    return "\n\n".join(block for block in blocks if block.strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p align='center'>Hello</p>", "Hello"),
        ("a<br>b<br/>c", "a  \nb  \nc"),
        ('<a href="https://a.b/c">text</a>', "[text](<https://a.b/c>)"),
        ("<a href=https://a.b>text</a>", "[text](<https://a.b>)"),
        ('<a href="x y>">t</a>', '">t'),
        ('<a href="a<b">t</a>', '<a href="a<b">t'),
        ("<a name='x'>t</a>", "t"),
        ('<a href="x">open', "[open](<x>)"),
        ('<a href="x"><a href="y">t</a></a>', "[t](<x>)"),
        ('<img src="x" alt="A [nice] picture!">', "![A  nice  picture](picture)"),
        ("<img src='x'>", "![picture](picture)"),
        ("<h2>Title</h2>text", "## Title\n\ntext"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a · b ·"),
        ("<hr>", "---"),
        ("x <!-- gone --> y", "x  y"),
        ("a\n\n<!-- gone\n\nstill\n\n--> b", "a\n\n b"),
        ("a\n\n<!-- never closed\n\nb", "a"),
        ("<script>alert(1)</script>x", "x"),
        ("<style>\n\np {}\n\n</style>\n\nx", "x"),
        ("<STYLE>p</style >x", "x"),
        ("<svg/>x", "x"),
        ("    <div>indented</div>", "indented"),
        ("`<div>` and <b>b</b>", "`<div>` and b"),
        ("``<br> ` <br>``", "``<br> ` <br>``"),
        ("` <br>", "`   \n"),
        ("```\n<div>\n```", "<div>"),
        (
            "tokens <s>, <think>, <|im_end|>, List<int>",
            "tokens <s>, <think>, <|im_end|>, List<int>",
        ),
        ("<https://a.b/c> <me@a.b>", "<https://a.b/c> <me@a.b>"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("| a<br>b | c |\n|---|---|\n| <b>d</b> | e |", "| a   b | c |\n|---|---|\n| d | e |"),
    ],
)
def test_tags_become_markdown_or_go(text: str, expected: str) -> None:
    assert reduced(text).strip() == expected.strip()


def test_tricks_go_and_letters_stay() -> None:
    text = "a\u202eb\u2066c\u200fd\ufeffe\x00f\x1bg\U000e0041h\ud800i\ue000"
    assert without_tricks(text) == "abcdefghi"
    kept = "é ع\u200cب 中 👩\u200d👩\u200d👧 tab\tline\n"
    assert without_tricks(kept) == kept


def test_an_ordinary_card_keeps_what_it_says() -> None:
    whole = "\n".join(card_pieces(EXAMPLE_CARD))
    for words in (
        "![Qwen logo](picture)", "# Qwen3-14B", "[![Chat](picture)](<https://chat.example.org/>)",
        "| Q8_0 | 15.7 GB | very good |", "```python\nfrom transformers", "<think> and <s>",
        "[the blog](https://example.org/blog)", "Citation",
    ):  # fmt: skip
        assert words in whole, words
    assert "<p" not in whole
    assert "<details" not in whole


def test_a_hostile_card_is_only_text() -> None:
    whole = "\n".join(card_pieces(HOSTILE_CARD))
    for words in ("alert(1)</script", "display: none", "\u202e", "iframe", "hidden", "onerror"):
        assert words not in whole, words


def test_pieces_are_small_whatever_the_card() -> None:
    pieces = card_pieces(nested_card())
    assert len(pieces) > 20
    for piece in pieces:
        assert len(piece) <= MOST
        assert piece.count("\n") <= 2 * PIECE_LINES + 130
        for block in split_blocks(piece):
            lines = block.text.split("\n")
            is_prose = block.kind is BlockKind.PROSE
            is_table = is_prose and len(lines) > 1 and set(lines[1]) <= set("|-")
            assert not is_table or max(line.count("|") for line in lines) <= TABLE_COLUMNS + 1
        assert not piece.startswith(">" * 9)


def test_a_long_table_keeps_its_head() -> None:
    pieces = card_pieces("|Name|Value|\n|---|--:|\n" + "|a|b|\n" * 100)
    tables = [table for piece in pieces for table in piece.split("\n\n")]
    assert len(tables) == 4
    assert all(table.startswith("|Name|Value|\n|---|--:|\n") for table in tables)
    assert sum(table.count("|a|b|") for table in tables) == 100


def test_long_code_is_cut_at_lines_and_nothing_is_lost() -> None:
    code = "\n".join(f"line {number} ``` x" for number in range(1_000))
    pieces = card_pieces(f"````text\n{code}\n````")
    blocks = [block for piece in pieces for block in split_blocks(piece)]
    assert all(block.language == "text" for block in blocks)
    assert "\n".join(block.text for block in blocks) == code


@pytest.mark.parametrize(
    "unit",
    ["<", "<a ", "<!-- ", '<a href="', "<a href='x'>", "` `` ", "`", "- ", "> ", "|", "\n", "<p>",
     "[", "```\nx\n", "1. ", "|a|b|\n|-|-|\n", "<style>", "\u0301"],
)  # fmt: skip
def test_no_card_takes_long_to_cut(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    started = time.process_time()
    card_pieces(text)
    assert time.process_time() - started < 4.0


_PARTS = st.sampled_from(
    ["<a href='x'>", "</a>", "<b>", "`", "``", "<!--", "-->", "<style>", "</style>", "word ",
     "\n", "\n\n", "| a | b |\n|---|---|\n", "```\n", "- ", "> ", "<img alt='a'>", "<", ">"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_PARTS, max_size=40))
def test_any_mixture_can_be_cut(parts: list[str]) -> None:
    text = "".join(parts)
    for piece in card_pieces(text):
        assert piece.strip()
        assert "<!--" not in piece or "`" in piece
        assert "<style>" not in piece or "`" in piece
