"""Changed words inside of a passage: found, marked, and nothing else marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openshelf.licenses.changed_words import (
    NEW_MARKS,
    OLD_MARKS,
    MarkedWords,
    mark_words,
    marked_diff,
    written,
)
from openshelf.licenses.changes import compare_terms
from tests.fakes.example_updates import license_of


def both(before: str, after: str) -> tuple[str, str]:
    found = mark_words(before, after)
    return written(found.before, OLD_MARKS), written(found.after, NEW_MARKS)


def test_one_figure_in_a_long_sentence() -> None:
    before = "If your revenue is above 20 million dollars a month, you have no rights."
    after = "If your revenue is above 10.5 million dollars a year, you have no rights."
    assert both(before, after) == (
        "If your revenue is above [-20-] million dollars a [-month-], you have no rights.",
        "If your revenue is above {+10.5+} million dollars a {+year+}, you have no rights.",
    )


def test_a_small_word_that_turns_it_round() -> None:
    found = mark_words("You may sell it.", "You may not sell it.")
    assert (found.removed, found.added) == ((), ("not",))
    assert [piece.is_changed for piece in found.before] == [False]


def test_neighboring_words_are_one_change() -> None:
    found = mark_words("It goes to every single user here today.", "It goes to no user here today.")
    assert (found.removed, found.added) == (("every single",), ("no",))


def test_a_line_that_is_broken_elsewhere_did_not_change() -> None:
    found = mark_words("one two\nthree four", "one two three  four")
    assert (found.removed, found.added) == ((), ())


def test_another_text_is_marked_as_a_whole() -> None:
    found = mark_words("The end of this.", "Nobody may use it for money, ever.")
    assert found.removed == ("The end of this.",)
    assert found.added == ("Nobody may use it for money, ever.",)
    assert mark_words("", "new").added == ("new",)
    assert mark_words("", "") == MarkedWords((), ())


def test_what_is_endless_is_marked_as_a_whole() -> None:
    before = "word " * 3000
    assert len(mark_words(before, before + "more").after) == 1


@given(st.text(), st.text())
def test_no_letter_is_lost(before: str, after: str) -> None:
    found = mark_words(before, after)
    assert "".join(piece.text for piece in found.before) == before
    assert "".join(piece.text for piece in found.after) == after
    same = mark_words(before, before)
    assert not any(piece.is_changed for piece in same.before if any(map(str.isalnum, piece.text)))


def test_a_diff_on_paper_marks_its_words() -> None:
    diff = ("--- accepted", "+++ now", "@@ -1,3 +1,3 @@", " 1. Use", "-You may sell it.",
            "+You may not sell it.", "-gone altogether", " 3. End")  # fmt: skip
    assert tuple(marked_diff(diff[:6])) == (
        *diff[:4], "-You may sell it.", "+You may {+not+} sell it.",
    )  # fmt: skip
    assert tuple(marked_diff(("--- accepted", "+++ now", "-gone", " left"))) == (
        "--- accepted", "+++ now", "-gone", " left",
    )  # fmt: skip


def test_a_line_that_is_all_new_needs_no_marks() -> None:
    diff = ("--- accepted", "+++ now", "-You may sell it.", "+You may never sell it.",
            "+2. Nor may you lend it.")  # fmt: skip
    assert tuple(marked_diff(diff))[2:] == (
        "-You may sell it.", "+You may {+never+} sell it.", "+2. Nor may you lend it.",
    )  # fmt: skip


@given(st.lists(st.text(alphabet="ab .\n", max_size=12), max_size=6),
       st.lists(st.text(alphabet="ab .\n", max_size=12), max_size=6))  # fmt: skip
def test_a_marked_diff_has_the_lines_of_the_diff(old: list[str], new: list[str]) -> None:
    change = compare_terms(license_of("\n".join(old)), license_of("\n".join(new)), lambda _: None)
    for text in change.changed_texts:
        marked = [line.replace("[-", "").replace("-]", "").replace("{+", "").replace("+}", "")
                  for line in marked_diff(text.diff)]  # fmt: skip
        assert marked == list(text.diff)


def test_the_json_of_a_change_names_the_words() -> None:
    change = compare_terms(
        license_of("1. You may sell it.\n"), license_of("1. You may not sell it.\n"), lambda _: None
    )
    (text,) = change.as_json()["texts"]
    assert text["passages"] == [
        {"line": 1, "before": "1. You may sell it.", "after": "1. You may not sell it.",
         "removed": [], "added": ["not"]}
    ]  # fmt: skip
