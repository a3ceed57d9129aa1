"""What a streamed answer costs the window's thread: 4,096 tokens of Markdown at 30 frames a second.

Run by name: `pytest -m benchmark tests/benchmarks/test_transcript.py -s`. Compared with setMarkdown
per token and setMarkdown per frame, in CPU time of this thread.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QTextBrowser, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from openshelf.ui.widgets.text_view import TextView

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]
TOKENS = 4_096
TOKENS_PER_FRAME = 4
"""120 tokens per second at 30 frames."""
_PART = """## Section {n}

The clause says that **either side** may end it with `30 days` notice, and what follows from that \
is a matter of *careful* reading, as [the text](https://example.com/{n}) shows.

1. return of all material (§{n}.2);
2. payment of accepted work;
   - with interest, if late
3. a hand-over call.

```python
def deadline(start: date, days: int = {n}) -> date:
    return start + timedelta(days=days)  # of section {n}
```

| Clause | Due | Owner |
|---|---|---|
| §{n}.2 | within 30 days | us |
| §{n}.4 | with the last invoice | them |

"""


def tokens() -> list[str]:
    """About 4.8 characters each, as in measured answers."""
    text = "".join(_PART.format(n=n) for n in range(1, 60))[:19_700]
    size = len(text) / TOKENS
    cuts = [round(i * size) for i in range(TOKENS + 1)]
    return [text[a:b] for a, b in itertools.pairwise(cuts)]


class PlainView(QTextBrowser):
    """The obvious way: the whole text again, with what Qt draws by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def set_text(self, text: str) -> None:
        self.document().setMarkdown(text, QTextDocument.MarkdownFeature.MarkdownNoHTML)
        self.setFixedHeight(round(self.document().size().height()) + 1)


def stream(app: QApplication, qtbot: QtBot, view: TextView | PlainView, step: int) -> list[float]:
    """CPU seconds of this thread per update, drawing included."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    content = QWidget()
    QVBoxLayout(content).addWidget(view)
    area.setWidget(content)
    area.resize(720, 800)
    qtbot.addWidget(area)
    area.show()
    app.processEvents()
    text, costs = "", []
    pieces = tokens()
    for at in range(0, TOKENS, step):
        text += "".join(pieces[at : at + step])
        start = time.thread_time()
        view.set_text(text)
        app.processEvents()
        bar = area.verticalScrollBar()
        bar.setValue(bar.maximum())
        app.processEvents()
        costs.append(time.thread_time() - start)
    return costs


def figures(name: str, costs: list[float]) -> float:
    ordered = sorted(costs)
    total = sum(costs)
    p95, worst = ordered[int(len(ordered) * 0.95)], ordered[-1]
    print(  # noqa: T201
        f"\n{name:34} total {total:6.2f} s  per token {total / TOKENS * 1e3:5.2f} ms  "
        f"median {statistics.median(costs) * 1e3:5.1f} ms  p95 {p95 * 1e3:5.1f} ms  "
        f"worst {worst * 1e3:5.1f} ms"
    )
    return total


def test_open_block_costs_a_fraction_of_the_whole_document(
    qapp: QApplication, qtbot: QtBot
) -> None:
    load_fonts()
    apply_theme(qapp, Scheme.LIGHT)
    runs: list[tuple[str, Callable[[], TextView | PlainView], int]] = [
        ("open block only, per frame", lambda: TextView("Answer"), TOKENS_PER_FRAME),
        ("open block only, per token", lambda: TextView("Answer"), 1),
        ("setMarkdown, per frame", PlainView, TOKENS_PER_FRAME),
        ("setMarkdown, per token", PlainView, 1),
    ]
    totals = {name: figures(name, stream(qapp, qtbot, make(), step)) for name, make, step in runs}
    assert totals["open block only, per frame"] * 5 < totals["setMarkdown, per token"]
