"""Files of a repository as variants, and the speed meter."""

from __future__ import annotations

import pytest

from openshelf.bandwidth import Pace
from openshelf.errors import NotFound
from openshelf.hub.entries import Repo, RepoFile
from openshelf.hub.rate import RateLimit, SpeedMeter
from openshelf.hub.variants import find_projector, find_variant, list_variants


def repo_of(*paths: str) -> Repo:
    files = tuple(RepoFile(path, 100 + number, "0" * 64) for number, path in enumerate(paths))
    return Repo("ada/Small-GGUF", "1" * 40, files)


def test_shards_projectors_and_strangers() -> None:
    repo = repo_of(
        "Big-Q4_K_M-00002-of-00002.gguf", "Big-Q4_K_M-00001-of-00002.gguf", "Small-Q8_0.gguf",
        "mmproj-F16.gguf", "README.md", "imatrix.dat", "Half-Q2_K-00001-of-00003.gguf",
    )  # fmt: skip
    variants = {variant.stem: variant for variant in list_variants(repo.files)}
    assert set(variants) == {"Big-Q4_K_M", "Small-Q8_0", "Half-Q2_K"}
    big = variants["Big-Q4_K_M"]
    assert [file.path[11:16] for file in big.files] == ["00001", "00002"]
    assert big.is_complete
    assert big.size_bytes == 201
    assert not variants["Half-Q2_K"].is_complete
    with pytest.raises(NotFound):
        find_variant(repo, quant="Q2_K")


def test_choice() -> None:
    repo = repo_of("a-Q2_K.gguf", "a-Q4_K_M.gguf", "a-UD-Q4_K_XL.gguf", "sub/a-Q2_K.gguf")
    assert find_variant(repo).quant == "Q4_K_M"
    assert find_variant(repo, quant="q4_k_xl").quant == "UD-Q4_K_XL"
    assert find_variant(repo, quant="Q2_K").folder == "", "the one nearest to the root"
    assert find_variant(repo, file="sub/a-Q2_K.gguf").folder == "sub"
    assert find_variant(repo, quant="a-q4_k_m.gguf").quant == "Q4_K_M"
    assert find_variant(repo_of("x-Q3_K_S.gguf")).quant == "Q3_K_S"
    with pytest.raises(NotFound) as error:
        find_variant(repo_of("README.md"))
    assert error.value.what == "variant"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_limit_over_a_long_time() -> None:
    clock = Clock()
    limit = RateLimit(Pace(outside=1_000_000), clock)
    for _ in range(1000):
        clock.now += limit.take(limit.read_size())
    assert 1000 * limit.read_size() / clock.now == pytest.approx(1_000_000, rel=0.02)
    limit.set_pace(Pace())
    assert limit.take(10**9) == 0
    limit.set_pace(Pace(outside=1000))
    assert limit.take(1000) == pytest.approx(1.0)


def test_idle_time_buys_only_a_small_burst() -> None:
    clock = Clock()
    limit = RateLimit(Pace(outside=1000), clock)
    clock.now = 3600
    assert limit.take(1250) == pytest.approx(1.0)


def test_meter() -> None:
    clock = Clock()
    meter = SpeedMeter(clock=clock)
    told = 0
    for _ in range(1000):
        clock.now += 0.01
        told += meter.add(10_000)
    assert told <= 5 * 10
    assert meter.bytes_per_second == pytest.approx(1_000_000, rel=0.01)
    meter.restart()
    assert meter.bytes_per_second is None


def test_projector_of_a_variant() -> None:
    repo = repo_of(
        "a-Q4_K_M.gguf", "BF16/a-BF16-00001-of-00002.gguf", "BF16/a-BF16-00002-of-00002.gguf",
        "mmproj-BF16.gguf", "mmproj-Q8_0.gguf",
    )  # fmt: skip
    small = find_projector(repo, find_variant(repo))
    large = find_projector(repo, find_variant(repo, quant="BF16"))
    assert small is not None
    assert large is not None
    assert (small.path, large.path) == ("mmproj-Q8_0.gguf", "mmproj-BF16.gguf")
    assert small in repo.files
    assert find_projector(repo_of("a-Q4_K_M.gguf"), find_variant(repo_of("a-Q4_K_M.gguf"))) is None
