"""What helps to ask: recommendations, named settings and prompts, files that go along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openshelf.chat.advising import AdvisesLike
from openshelf.chat.attachments import Attachment
from openshelf.chat.presets import PresetsLike
from openshelf.tasks import CancelToken


@dataclass(frozen=True)
class ChatAids:
    """`read_file` blocks, for seconds where a PDF is long; raises BadAttachment."""

    advisor: AdvisesLike
    presets: PresetsLike
    read_file: Callable[[Path, CancelToken], Attachment]
