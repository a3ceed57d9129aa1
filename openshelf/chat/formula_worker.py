"""The formula worker: a child process that turns TeX into outlines, and is ended where it hangs.

TeX from a model is hostile: what reads it takes exponential time for some nestings, and holds the
interpreter meanwhile. So it is read in a process of its own, one line of JSON for each formula.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any
from xml.etree import ElementTree

from openshelf.engine.worker_isolation import harden, take_wire

MOST_TEX = 2_000
"""Characters; a longer formula is shown as it was written."""
MOST_DEPTH = 12
"""Braces in each other, and `\\left`s."""
MOST_SVG = 400_000
MOST_PIXELS = 6_000
_MEMORY_BYTES = 1_000_000_000
_LINE_BYTES = 64_000
_SECONDS = 5
_TAG = re.compile(r"<[^>]*>")
_DRAWN = {"svg", "g", "path", "rect", "line", "polyline", "polygon", "circle", "ellipse"}


def run_worker() -> int:
    """Until stdin ends: `{"id", "tex", "is_display", "size"}` in, size in pixels of the letters;
    `{"id", "svg", "width", "height", "ascent"}` out, or `{"id", "why"}`."""
    requests, answers = take_wire()
    harden()
    _limit_memory()
    _send(answers, {"id": 0, "ready": _load()})
    while line := requests.readline(_LINE_BYTES):
        _limit_time()
        _send(answers, _answer(line))
    return 0


def _answer(line: bytes) -> dict[str, object]:
    number: object = 0
    try:
        request = json.loads(line)
        number = request["id"]
        size, is_display = float(request["size"]), bool(request["is_display"])
        return {"id": number, **draw(str(request["tex"]), size, is_display=is_display)}
    except RecursionError:
        return {"id": number, "why": "too deep"}
    except Exception as error:  # noqa: BLE001 (whatever it is, the formula is shown as TeX)
        return {"id": number, "why": f"{type(error).__name__}: {error}"[:200]}


def _send(answers: Any, document: dict[str, object]) -> None:
    answers.write(json.dumps(document).encode("ascii") + b"\n")
    answers.flush()


def _load() -> bool:
    from ziafont.config import config as font_config
    from ziamath.config import config

    # Without references between parts, which not every reader of SVG follows.
    config.svg2 = font_config.svg2 = False
    return True


def draw(tex: str, size: float, *, is_display: bool) -> dict[str, object]:
    """Outlines of `tex`; lengths in pixels, `ascent` from the top edge to the baseline,
    a pixel of room on each side included.

    Raises ValueError where it is refused, and whatever the renderer does where it cannot read it.
    """
    from latex2mathml.converter import convert
    from ziamath.zmath import Latex

    if len(tex) > MOST_TEX or depth_of(tex) > MOST_DEPTH:
        raise ValueError("too large")
    # What it does not know it writes out as it was.
    if "\\" in _TAG.sub("", convert(tex)):
        raise ValueError("an unknown command")
    formula = Latex(tex, size=size, inline=not is_display)
    svg = formula.svg()
    # Written by the renderer just now: no document of anybody else.
    picture = ElementTree.fromstring(svg)  # noqa: S314
    names = {part.tag.rpartition("}")[2] for part in picture.iter()}
    if len(svg) > MOST_SVG or not names <= _DRAWN:
        raise ValueError(f"not drawn: {names - _DRAWN}")
    # The baseline is at 0.
    _, top, width, height = map(float, picture.attrib["viewBox"].split())
    if width > MOST_PIXELS or height > MOST_PIXELS:
        raise ValueError("too large")
    return {"svg": svg, "width": width, "height": height, "ascent": -top}


def depth_of(tex: str) -> int:
    """How deep its groups lie in each other."""
    deepest = depth = 0
    for mark in tex.replace("\\{", "").replace("\\}", "").replace("\\left", "{"):
        depth += (mark == "{") - (mark == "}")
        deepest = max(deepest, depth)
    return deepest


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))


def _limit_time() -> None:
    """The window ends a worker that hangs; this is for a window that is gone."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
