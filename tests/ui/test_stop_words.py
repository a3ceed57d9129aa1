"""Stop words in one line, written by hand and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.ui.models.stop_words import line_of, stops_in


@pytest.mark.parametrize(
    ("line", "stops"),
    [
        ("", ()),
        (" | ", ()),
        ("END", ("END",)),
        (" END | ### ", ("END", "###")),
        (r"\n\n | a\|b", ("\n\n", "a|b")),
        (r"\\n | \q | end\ ", ("\\n", "\\q", "end\\ ")),
        (r"\sUser:", (" User:",)),
        ("half\\", ("half\\",)),
    ],
)
def test_a_line_is_what_it_says(line: str, stops: tuple[str, ...]) -> None:
    assert stops_in(line) == stops


@given(st.lists(st.text(alphabet="ab|\\ \n\ts\r\u00a0\u3000", min_size=1), max_size=4))
def test_what_was_written_is_read_back(stops: list[str]) -> None:
    assert stops_in(line_of(stops)) == tuple(stops)
