"""Token bytes to text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openshelf.engine.protocol import MAX_EVENT_BYTES, Tokens, encode
from openshelf.engine.worker_stream import (
    FLUSH_SECONDS,
    FLUSH_TOKENS,
    MOST_SENT,
    AnswerStream,
)


def collected(
    pieces: list[bytes], stop: tuple[str, ...] = (), step: float = 0.0
) -> tuple[list[tuple[str, int]], bool]:
    """What was sent, and whether a stop string ended it; `step` seconds pass with each token."""
    sent: list[tuple[str, int]] = []
    now = [0.0]
    stream = AnswerStream(lambda text, count: sent.append((text, count)), stop, lambda: now[0])
    stopped = False
    for piece in pieces:
        now[0] += step
        if stream.add(piece):
            stopped = True
            break
    stream.finish()
    return sent, stopped


@given(st.text(max_size=80), st.lists(st.integers(1, 5), max_size=60), st.floats(0, 0.1))
def test_text_arrives_whole_however_it_is_cut(text: str, cuts: list[int], step: float) -> None:
    data, pieces = text.encode(), []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    pieces.append(data)
    sent, _ = collected(pieces, step=step)
    assert "".join(part for part, _ in sent) == text
    assert sum(count for _, count in sent) == len(pieces)
    assert all("\ufffd" not in part for part, _ in sent) or "\ufffd" in text


@given(
    st.lists(st.text(alphabet="ab<|>", min_size=1, max_size=3), max_size=30),
    st.lists(st.text(alphabet="ab<|>", min_size=1, max_size=4), min_size=1, max_size=3),
    st.floats(0, 0.1),
)
def test_nothing_of_a_stop_string_is_shown(words: list[str], stop: list[str], step: float) -> None:
    sent, stopped = collected([word.encode() for word in words], tuple(stop), step)
    shown, whole = "".join(part for part, _ in sent), "".join(words)
    places = [whole.find(text) for text in stop if text in whole]
    assert stopped == bool(places)
    if places:
        # Of two that end with the same token, the one that begins first.
        assert shown == whole[: len(shown)]
        assert not any(text in shown for text in stop)
    else:
        assert shown == whole


def test_the_first_token_comes_at_once_and_then_a_few_at_a_time() -> None:
    sent, _ = collected([b"x"] * 40)
    assert sent[0] == ("x", 1)
    assert [count for _, count in sent[1:3]] == [FLUSH_TOKENS, FLUSH_TOKENS]
    assert sum(count for _, count in sent) == 40
    slow, _ = collected([b"x"] * 5, step=FLUSH_SECONDS * 1.1)
    assert [count for _, count in slow] == [1] * 5


def test_half_a_character_at_the_end() -> None:
    assert collected([b"a", b"\xf0\x9f"])[0] == [("a", 1), ("\ufffd", 1)]
    assert collected([b"\xff", b"b"])[0][0][0] == "\ufffd"


def test_what_may_become_a_stop_string_waits() -> None:
    sent, stopped = collected([b"Hi", b"<|im", b"_x"], ("<|im_end|>",), step=1.0)
    assert not stopped
    assert sent == [("Hi", 1), ("", 1), ("<|im_x", 1)]


def test_what_is_long_is_sent_in_pieces() -> None:
    text = "\u0001" * (3 * MOST_SENT + 5)
    sent, _ = collected([text.encode()])
    assert "".join(part for part, _ in sent) == text
    assert max(len(part) for part, _ in sent) == MOST_SENT
    assert sum(count for _, count in sent) == 1
    assert len(encode(Tokens(1, sent[0][0], 1))) < MAX_EVENT_BYTES
