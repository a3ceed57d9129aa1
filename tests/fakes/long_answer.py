"""A very long answer, cut into tokens: what models write, and the shapes that hurt a transcript."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\s*[^\W_]{1,14}|\s*[^\w\s]{1,4}|\s+|_+")
_SECTION = """## Section {n}

The clause says that **either side** may end it with `30 days` notice, and what follows from that \
is a matter of *careful* reading, as [the text](https://example.com/{n}) shows. It costs $5 and $6.

1. return of all material (§{n}.2);
2. payment of accepted work;
   - with interest, if late
3. a hand-over call.

> Said by the other side, and quoted here.

```python
def deadline(start: date, days: int = {n}) -> date:
    \"\"\"The day on which section {n} ends.\"\"\"
    return start + timedelta(days=days)  # of section {n}
```

| Clause | Due | Owner |
|---|---|---|
| §{n}.2 | within 30 days | us |
| §{n}.4 | with the last invoice | them |

"""
_CODE_LINES = """def step_{n}(state: dict[str, int], limit: int = {n}) -> int:
    \"\"\"Count what is left after step {n}.\"\"\"
    total = sum(value for value in state.values() if value > limit)
    if total % 7 == {m}:
        return total - {n}  # of step {n}
    return total + {n}


"""
_WORDS = (
    "the reading of this clause goes on without any break and says in many words what could have "
    "been said in few, "
)


def tokens_of(text: str) -> list[str]:
    """About 4.6 characters each, as measured answers have; joined, they are the text."""
    return _TOKEN.findall(text)


def _sections(first: int) -> Iterator[str]:
    for n in itertools.count(first):
        yield from tokens_of(_SECTION.format(n=n))


def _code() -> Iterator[str]:
    yield from tokens_of("```python\n")
    for n in itertools.count(1):
        yield from tokens_of(_CODE_LINES.format(n=n, m=n % 7))


def _paragraph() -> Iterator[str]:
    return itertools.cycle(tokens_of(_WORDS))


def long_answer(count: int = 100_000) -> list[str]:
    """`count` tokens: sections with lists, tables and code; a fifth is one code block, an eighth
    one paragraph without any break."""
    pieces: list[str] = list(itertools.islice(_sections(1), count * 3 // 10))
    pieces += ["\n\n", *itertools.islice(_code(), count // 5), "\n", "```", "\n\n"]
    pieces += itertools.islice(_sections(1_000), count * 2 // 10)
    pieces += ["\n\n", *itertools.islice(_paragraph(), count // 8), "\n\n"]
    pieces += itertools.islice(_sections(2_000), max(0, count - len(pieces)))
    return pieces[:count]
