"""Bytes, rates and durations as people read them."""

from __future__ import annotations

import pytest

from openshelf import units


@pytest.mark.parametrize(
    ("count", "decimal", "binary"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (98_362_432, "98.4 MB", "93.8 MiB"),
        (7_300_000_000, "7.3 GB", "6.8 GiB"),
        (386_000_000_000, "386 GB", "359 GiB"),
        (2_000_000_000_000, "2.0 TB", "1.8 TiB"),
        (-7_300_000_000, "-7.3 GB", "-6.8 GiB"),
    ],
)
def test_bytes(count: int, decimal: str, binary: str) -> None:
    assert units.format_bytes(count) == decimal
    assert units.format_bytes(count, binary=True) == binary


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (12, "12 s"), (95, "2 min"), (3600, "60 min"), (7200, "2.0 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "512"), (8192, "8K"), (131072, "128K"), (40960, "40K"), (5000, "5,000")],
)
def test_tokens(count: int, text: str) -> None:
    assert units.format_tokens(count) == text


def test_rate() -> None:
    assert units.format_rate(38_000_000.4) == "38.0 MB/s"


def test_counted() -> None:
    assert [units.counted(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]
