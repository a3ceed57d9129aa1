"""Where a model comes from: packager, fine-tune, base, each with the license that it declares."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.licenses.effective import LineageNode
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE
from openshelf.ui.models.model_words import plain
from openshelf.ui.sentences import words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Chip, ChipKind, SectionLabel, TextLabel

_MOST_EVIDENCE = 4


class LineagePart(QWidget):
    """The nodes from the repository that is installed up to the base models."""

    def __init__(self, lineage: Sequence[LineageNode]) -> None:
        super().__init__()
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(6)
        self.body.addWidget(SectionLabel(self.tr("Where it comes from")))
        for index, node in enumerate(lineage):
            if index:
                self.body.addWidget(TextLabel("↑", TextRole.SMALL, "faint"))
            self.body.addWidget(_Node(node))


class _Node(QWidget):
    def __init__(self, node: LineageNode) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Chip(words(f"relation_{node.relation}")))
        is_open = node.license in (NO_LICENSE, UNKNOWN_LICENSE)
        kind = ChipKind.WARNING if is_open else ChipKind.NEUTRAL
        head.addWidget(Chip(self._license_words(node), kind))
        head.addStretch(1)
        column.addLayout(head)
        repo = plain(node.repo)
        # A name may be broken at its slash and its hyphens.
        column.addWidget(TextLabel(repo, TextRole.SMALL_STRONG, wrap=True, selectable=True))
        facts = [
            node.region or self.tr("home not known"),
            self.tr("commit {commit}").format(commit=node.commit[:8]) if node.commit else "",
        ]
        line = " · ".join(fact for fact in facts if fact)
        column.addWidget(TextLabel(line, TextRole.TINY, "muted", wrap=True))
        evidence = "; ".join(plain(text) for text in node.evidence[:_MOST_EVIDENCE])
        if evidence:
            column.addWidget(TextLabel(evidence, TextRole.TINY, "faint", wrap=True))
        self.setAccessibleName(f"{words(f'relation_{node.relation}')}: {repo}, {node.license}")

    def _license_words(self, node: LineageNode) -> str:
        if node.license == NO_LICENSE:
            return self.tr("declares none")
        return self.tr("not known") if node.license == UNKNOWN_LICENSE else node.license
