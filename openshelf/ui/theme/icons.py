"""One-color SVG icons from resources/icons, tinted from the tokens."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap

from openshelf import paths
from openshelf.ui.theme import scheme


def pixmap(name: str, tint: str = "muted", pixels: int = 16, ratio: float = 2.0) -> QPixmap:
    """The icon `name` (file name without `.svg`) in the color of the token `tint`."""
    from PySide6.QtSvg import QSvgRenderer  # only pages with icons pay for it

    source = (paths.resources() / "icons" / f"{name}.svg").read_bytes()
    stroke = scheme.color(tint).name().encode()
    renderer = QSvgRenderer(QByteArray(source.replace(b"#000", stroke)))
    image = QPixmap(round(pixels * ratio), round(pixels * ratio))
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    return image


def icon(name: str, tint: str = "muted", pixels: int = 16) -> QIcon:
    return QIcon(pixmap(name, tint, pixels))
