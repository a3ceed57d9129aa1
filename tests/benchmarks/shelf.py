"""How long the best variant of every family takes, from sums worked out beforehand.

Run it by hand: `python -m tests.benchmarks.shelf`. Medians of five, in CPU time of one core; the
targets are 500 ms for the sums and 300 ms for all families on five machines by three preferences.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable

from openshelf.catalog.entries import Catalog
from openshelf.catalog.loader import load_catalog
from openshelf.fit.scores import Preference
from openshelf.hardware.profiles import find_machine
from openshelf.licenses.clearance import Verdict
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.prospects import Stock
from openshelf.shelf.ranking import Bench
from openshelf.shelf.rows import ShelfQuestion
from tests.fakes.example_data import example_decision

MACHINES = (
    "RTX 4060 8 GB + 32 GB",
    "RTX 5090 32 GB + 64 GB",
    "M4 Max 64 GB",
    "CPU only 16 GB",
    "Strix Halo 128 GB",
)
PARTS = ShelfParts(lambda model, repo: example_decision(Verdict.ALLOWED, "apache-2.0"))
ROUNDS = 5


def recommend_all(catalog: Catalog, stock: Stock) -> int:
    """How many recommendations were worked out."""
    count = 0
    for name in MACHINES:
        bench = Bench(find_machine(name), ShelfQuestion(), PARTS, stock)
        for family in catalog.families:
            prospects = stock.of_models(family.models)
            if not prospects:
                continue
            choice = bench.choice(prospects)
            count += sum(choice.best(prefer) is not None for prefer in Preference)
    return count


def timed(work: Callable[[], object]) -> float:
    """Median CPU milliseconds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append((time.process_time() - start) * 1000)
    return statistics.median(rounds)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    catalog, request = load_catalog(), ShelfQuestion().request
    stock = Stock.of(catalog, PARTS, request)
    variants = sum(map(len, stock.prospects.values()))
    models = sum(len(family.models) for family in catalog.families)
    say(f"{platform.platform()}, Python {platform.python_version()}")
    say(f"{len(catalog.families)} families, {models} models, {variants} variants")
    say(f"sums: {timed(lambda: Stock.of(catalog, PARTS, request)):.0f} ms (target 500)")
    count = recommend_all(catalog, stock)
    spent = timed(lambda: recommend_all(catalog, stock))
    say(f"{count} recommendations: {spent:.0f} ms (target 300)")


if __name__ == "__main__":
    main()
