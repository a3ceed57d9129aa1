"""The colors by name, light, dark and high contrast; everything that is painted comes from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """One set of colors as `#RRGGBB`.

    `ink`, `muted` and `faint` are texts in falling weight; each `*_soft` is the background of the
    chip or notice whose text has the color before it. `weights`, `kv_cache`, `compute_buffer` and
    `free` are the parts of a fit bar, `skeleton` stands for words to come, `scrim` lies over the
    page below a sheet.
    """

    name: str
    is_dark: bool
    background: str
    surface: str
    sunken: str
    skeleton: str
    line: str
    control_line: str
    ink: str
    muted: str
    faint: str
    accent: str
    accent_soft: str
    on_accent: str
    weights: str
    kv_cache: str
    compute_buffer: str
    free: str
    warning: str
    warning_soft: str
    bad: str
    bad_soft: str
    good: str
    good_soft: str
    scrim: str


LIGHT = Tokens(
    name="light",
    is_dark=False,
    background="#F7F6F3",
    surface="#FFFFFF",
    sunken="#F0EEE9",
    skeleton="#EEECE6",
    line="#E3E0D9",
    control_line="#D3CFC5",
    ink="#1E1C18",
    muted="#625D54",
    faint="#706B61",
    accent="#1F6B57",
    accent_soft="#E2F0EB",
    on_accent="#FFFFFF",
    weights="#1F6B57",
    kv_cache="#3B7DB8",
    compute_buffer="#8A63B5",
    free="#E3E0D9",
    warning="#955A08",
    warning_soft="#FBF0DC",
    bad="#B3261E",
    bad_soft="#FBE6E4",
    good="#1C7140",
    good_soft="#E3F3E9",
    scrim="#1E1C18",
)

DARK = Tokens(
    name="dark",
    is_dark=True,
    background="#171614",
    surface="#201F1C",
    sunken="#1B1A17",
    skeleton="#2B2925",
    line="#34322D",
    control_line="#48453E",
    ink="#EDEAE3",
    muted="#A7A196",
    faint="#928D82",
    accent="#5CC2A4",
    accent_soft="#1F3A33",
    on_accent="#15201C",
    weights="#4FB598",
    kv_cache="#6FA8DC",
    compute_buffer="#B091D6",
    free="#34322D",
    warning="#E0A34A",
    warning_soft="#3A2E18",
    bad="#F08A82",
    bad_soft="#3E2220",
    good="#6CC990",
    good_soft="#1D3426",
    scrim="#000000",
)

HIGH_CONTRAST = Tokens(
    name="high_contrast",
    is_dark=True,
    background="#000000",
    surface="#000000",
    sunken="#0A0A0A",
    skeleton="#2E2E2E",
    line="#8C8C8C",
    control_line="#FFFFFF",
    ink="#FFFFFF",
    muted="#E6E6E6",
    faint="#D2D2D2",
    accent="#6FE3C1",
    accent_soft="#00352A",
    on_accent="#000000",
    weights="#6FE3C1",
    kv_cache="#8FC7FF",
    compute_buffer="#D9B8FF",
    free="#3A3A3A",
    warning="#FFC966",
    warning_soft="#332200",
    bad="#FF9A92",
    bad_soft="#3D0B08",
    good="#8CF0B0",
    good_soft="#00331A",
    scrim="#000000",
)

_GROUNDS = ("surface", "background", "sunken")

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    *((text, ground) for text in ("ink", "muted", "faint") for ground in _GROUNDS),
    ("accent", "surface"),
    ("accent", "sunken"),
    ("accent", "accent_soft"),
    ("on_accent", "accent"),
    ("warning", "warning_soft"),
    ("warning", "surface"),
    ("bad", "bad_soft"),
    ("bad", "surface"),
    ("good", "good_soft"),
    ("good", "surface"),
    ("ink", "warning_soft"),
    ("ink", "bad_soft"),
    ("ink", "good_soft"),
    ("ink", "accent_soft"),
    ("ink", "free"),
    ("muted", "free"),
)
"""(text, background) as they occur in the window: contrast of at least 4.5."""

SHAPE_PAIRS: tuple[tuple[str, str], ...] = (
    ("weights", "free"),
    ("kv_cache", "free"),
    ("compute_buffer", "free"),
    ("bad", "free"),
)
"""(shape, background) that carry meaning: contrast of at least 3."""


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast of two `#RRGGBB` as WCAG 2 defines it: 1 to 21."""
    bright, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
