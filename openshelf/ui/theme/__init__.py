"""Colors, fonts, palettes and the style sheet; nothing outside knows a color's value."""

from openshelf.ui.theme.fonts import TextRole, font, load_fonts
from openshelf.ui.theme.scheme import Scheme, apply_theme, color, current_tokens
from openshelf.ui.theme.tokens import Tokens

__all__ = [
    "Scheme",
    "TextRole",
    "Tokens",
    "apply_theme",
    "color",
    "current_tokens",
    "font",
    "load_fonts",
]
