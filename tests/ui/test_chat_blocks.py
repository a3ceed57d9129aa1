"""The splitter decides by the text alone, keeps everything, and keeps the open block small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.chat.answer_parts import split_answer
from openshelf.ui.widgets.markdown_blocks import (
    MAX_TABLE_CHARACTERS,
    BlockKind,
    BlockSplitter,
    MarkdownBlock,
    split_blocks,
)

P, C = BlockKind.PROSE, BlockKind.CODE
_PIECES = st.sampled_from(
    ["a", "word ", "\n", "\n\n", "```", "```py\n", "~~~", "- x\n", "1. y\n", "   ", "    z", "> q",
     "| a |\n", "|---|\n", "# h\n", "<think>", "é", "x" * 4_100]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=30).map("".join)


@given(_TEXTS, st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_blocks_do_not_depend_on_how_the_text_arrived(text: str, sizes: list[int]) -> None:
    splitter, blocks, at, turn = BlockSplitter(), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)] if len(text) < 500 else 997
        blocks += splitter.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    assert blocks + splitter.finish() == split_blocks(text)


@given(_TEXTS)
def test_no_letter_is_lost(text: str) -> None:
    text = text.replace("```", "").replace("~~~", "")
    kept = sum(block.text.count("é") + block.text.count("a") for block in split_blocks(text))
    assert kept == text.count("é") + text.count("a")


@given(_TEXTS)
def test_open_block_stays_small_outside_of_code(text: str) -> None:
    splitter = BlockSplitter()
    splitter.feed(text)
    block = splitter.open_block
    assert block is None or block.kind is C or len(block.text) <= 2 * MAX_TABLE_CHARACTERS


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("one\n\ntwo", [(P, "one", ""), (P, "two", "")]),
        ("a\n```py\nx = 1\n\ny\n```\nb", [(P, "a", ""), (C, "x = 1\n\ny", "py"), (P, "b", "")]),
        ("1. a\n\n2. b\n\nafter", [(P, "1. a\n\n2. b", ""), (P, "after", "")]),
        ("1. a\n   ```sh\n   l\n   ```\n2. b", [(P, "1. a", ""), (C, "l", "sh"), (P, "2. b", "")]),
        ("- a\n    ```\n    x\n    ```\n    more", [(P, "- a", ""), (C, "x", ""), (P, "more", "")]),
        ("```\nnever closed", [(C, "never closed", "")]),
        ("````\n```\n````", [(C, "```", "")]),
        ("", []),
        ("\n\n\n", []),
    ],
)  # fmt: skip
def test_blocks(text: str, blocks: list[tuple[BlockKind, str, str]]) -> None:
    assert split_blocks(text) == [MarkdownBlock(*block) for block in blocks]


def test_closing_fence_is_not_shown_as_code_while_it_is_typed() -> None:
    splitter = BlockSplitter()
    splitter.feed("```\nx\n``")
    assert splitter.open_block == MarkdownBlock(C, "x", "")


@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "is_thinking"),
    [
        ("plain", "", "plain", False),
        ("<think>\nhm\n</think>\n\nyes", "hm", "yes", False),
        ("<think>hm", "hm", "", True),
        ("<thi", "", "", False),
        ("<thing>", "", "<thing>", False),
        ("a <think>b</think>", "", "a <think>b</think>", False),
    ],
)
def test_reasoning(text: str, reasoning: str, answer: str, is_thinking: bool) -> None:
    parts = split_answer(text)
    assert (parts.reasoning, parts.answer, parts.is_thinking) == (reasoning, answer, is_thinking)
