"""The building blocks of all pages: chips, buttons, bars, cards, notices."""

from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.bars import FitBar, FitParts, LegendMark, Meter, Segment, SegmentBar
from openshelf.ui.widgets.buttons import (
    Button,
    DangerButton,
    FilterChip,
    LinkButton,
    PrimaryButton,
    SegmentedControl,
)
from openshelf.ui.widgets.chip import Badge, Chip
from openshelf.ui.widgets.containers import (
    PAGE_MARGIN,
    Card,
    Column,
    Divider,
    EmptyState,
    KeyValueRow,
    PageHeader,
    ScrollPage,
)
from openshelf.ui.widgets.flow import FlowLayout
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.text import ElidedLabel, SectionLabel, TextLabel, TitleLink, set_property
from openshelf.ui.widgets.tick import TickBox

__all__ = [
    "PAGE_MARGIN",
    "Badge",
    "Button",
    "Card",
    "Chip",
    "ChipKind",
    "Column",
    "DangerButton",
    "Divider",
    "ElidedLabel",
    "EmptyState",
    "FilterChip",
    "FitBar",
    "FitParts",
    "FlowLayout",
    "InlineNotice",
    "KeyValueRow",
    "LegendMark",
    "LinkButton",
    "Meter",
    "NoticeLevel",
    "PageHeader",
    "PrimaryButton",
    "ScrollPage",
    "SectionLabel",
    "Segment",
    "SegmentBar",
    "SegmentedControl",
    "TextLabel",
    "TickBox",
    "TitleLink",
    "set_property",
]
