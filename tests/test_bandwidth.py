"""Limits and hours: read strictly, shared fairly, right on both sides of midnight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.bandwidth import (
    SLOWEST,
    Bandwidth,
    Hours,
    Pace,
    parse_hours,
    parse_rate,
    shares,
)

NIGHT = Hours(22 * 60, 7 * 60)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("22:00-07:00", NIGHT),
        (" 22:00 – 7:00 ", NIGHT),
        ("00:00-00:00", Hours(0, 0)),
        *((text, None) for text in ("", "22-07", "24:00-07:00", "22:60-07:00", "22:00", "x")),
    ],
)
def test_hours_are_read_strictly(text: str, hours: Hours | None) -> None:
    assert parse_hours(text) == hours
    if hours is not None:
        assert parse_hours(str(hours)) == hours


@pytest.mark.parametrize(
    ("minute", "is_in"),
    [(22 * 60 - 1, False), (22 * 60, True), (0, True), (7 * 60 - 1, True), (7 * 60, False)],
)
def test_over_midnight(minute: int, is_in: bool) -> None:
    assert (minute in NIGHT) is is_in
    assert (minute in Hours(7 * 60, 22 * 60)) is not is_in
    assert minute in Hours(60, 60), "from and to the same minute is the whole day"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("2MB/s", 2_000_000), ("2 MB/s", 2_000_000), ("1.5mb/s", 1_500_000), ("500kB", 500_000),
        ("1GBps", 10**9), ("2048B/s", 2048), ("2", None), ("0MB/s", None), ("1B/s", None),
        ("-2MB/s", None), ("2MiB/s", None), ("\u00b2MB/s", None), ("9999999999GB/s", None),
    ],
)  # fmt: skip
def test_rates_are_read_strictly(text: str, rate: int | None) -> None:
    assert parse_rate(text) == rate


def test_pace_changes_with_the_time_of_the_day() -> None:
    pace = Pace(None, 2_000_000, NIGHT)
    assert (pace.rate_at(12 * 60), pace.rate_at(23 * 60)) == (2_000_000, None)
    assert Pace(5, 9).rate_at(23 * 60) == 9


@pytest.mark.parametrize(
    ("total", "limits", "given"),
    [
        (None, [None, 500_000], [None, 500_000]),
        (2_000_000, [None], [2_000_000]),
        (2_000_000, [None, None], [1_000_000, 1_000_000]),
        (2_000_000, [None, 500_000], [1_500_000, 500_000]),
        (2_000_000, [5_000_000, None], [1_000_000, 1_000_000]),
        (2_000_000, [5_000_000], [2_000_000]),
        (1024, [None, None], [1024, 1024]),
    ],
)
def test_what_one_may_not_take_goes_to_the_others(
    total: int | None, limits: list[int | None], given: list[int | None]
) -> None:
    assert [pace.outside for pace in shares(Bandwidth(total), limits)] == given


def test_outside_of_the_hours_nothing_or_the_limit() -> None:
    (pace,) = shares(Bandwidth(1_000_000, NIGHT, pauses=True), [None])
    assert pace == Pace(None, 0, NIGHT)
    (pace,) = shares(Bandwidth(1_000_000, NIGHT), [500_000])
    assert pace == Pace(500_000, 500_000, NIGHT)
    (pace,) = shares(Bandwidth(None, None, pauses=True), [None])
    assert pace.rate_at(0) is None, "without hours there is no outside"


@given(
    st.integers(SLOWEST * 8, 10**9),
    st.lists(st.none() | st.integers(SLOWEST, 10**9), min_size=1, max_size=8),
)
def test_all_together_stay_under_the_limit(total: int, limits: list[int | None]) -> None:
    given_rates = [pace.outside or 0 for pace in shares(Bandwidth(total), limits)]
    assert sum(given_rates) <= total
    for rate, own in zip(given_rates, limits, strict=True):
        assert SLOWEST <= rate <= (own or total)
    if None in limits:
        assert sum(given_rates) > total - len(limits), "nothing is left unused"
