"""The shipped cards and Macs: their figures agree with each other, and their names find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.errors import CorruptCatalog, NotFound
from openshelf.hardware.cards import CardProfile, load_cards
from openshelf.hardware.facts import GpuKind
from openshelf.hardware.macs import AppleChip, apple_bandwidth, load_chips
from openshelf.hardware.metal import expected_working_set
from openshelf.hardware.profiles import find_machine, load_profiles, plain_name
from openshelf.units import GB, GIB

CARDS = load_cards()
MEMORY_KINDS = {"GDDR5", "GDDR5X", "GDDR6", "GDDR6X", "GDDR7", "HBM2", "HBM2e", "HBM3", "HBM3e"}


def test_there_are_enough_of_each_maker() -> None:
    vendors = [card.vendor for card in CARDS]
    assert len(CARDS) >= 60
    assert {"NVIDIA", "AMD", "Intel"} == set(vendors)
    assert sum(len(chip.ram_gib) for chip in load_chips()) >= 20
    assert sum(" Laptop" in card.name for card in CARDS) >= 10


def test_no_two_share_a_name() -> None:
    titles = [plain_name(card.title) for card in CARDS]
    assert len(titles) == len(set(titles))
    names = [plain_name(machine.name) for machine in load_profiles()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
def test_a_card_makes_sense(card: CardProfile) -> None:
    assert len(card.source) > 20
    assert card.name in card.source
    assert 4 <= card.gib <= 512
    assert 100 * GB <= card.bandwidth_bytes_per_second <= 10_000 * GB
    if card.reckoned_bytes_per_second is not None:
        stated = card.bandwidth_bytes_per_second
        assert abs(card.reckoned_bytes_per_second - stated) <= stated * 0.005
    (gpu,) = card.machine().gpus
    assert gpu.free_bytes is not None
    assert gpu.total_bytes is not None
    assert 0.85 * card.gib * GIB < gpu.free_bytes < gpu.total_bytes <= card.gib * GIB


def test_only_stacked_memory_has_no_parts_to_reckon_with() -> None:
    unknown = [card for card in CARDS if card.reckoned_bytes_per_second is None]
    assert all(card.bandwidth_bytes_per_second >= 900 * GB for card in unknown)
    assert len(unknown) < 15


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
def test_a_card_is_found_by_its_title_and_with_any_ram(card: CardProfile) -> None:
    assert find_machine(card.title).gpus[0].name in (card.full_name, f"NVIDIA GeForce {card.name}")
    assert find_machine(f"{card.full_name} + 48 GB").name == f"{card.title} + 48 GB"
    assert find_machine(card.machine().name).gpus[0].total_bytes is not None


@pytest.mark.parametrize("chip", load_chips(), ids=lambda chip: f"{chip.name} {chip.ram_gib}")
def test_a_mac_makes_sense(chip: AppleChip) -> None:
    assert "Apple, technical specifications" in chip.source
    for size in chip.ram_gib:
        machine = find_machine(f"Apple {chip.name} {size} GB")
        (gpu,) = machine.gpus
        assert gpu.kind is GpuKind.UNIFIED
        assert machine.memory.total_bytes == size * GIB
        assert gpu.bandwidth_bytes_per_second == chip.bandwidth_bytes_per_second
        assert gpu.free_bytes == expected_working_set(size * GIB)
        assert machine.memory.available_bytes < size * GIB


def test_a_name_stands_for_a_card_before_it_is_a_part_of_others() -> None:
    assert find_machine("RTX 3090").name == "RTX 3090 24 GB + 64 GB"
    assert find_machine("rtx4090").name == "RTX 4090 24 GB + 64 GB"
    assert find_machine("NVIDIA GeForce RTX 4070 Laptop GPU").name.startswith(
        "RTX 4070 Laptop 8 GB"
    )
    assert find_machine("L4").gpus[0].name == "NVIDIA L4"
    # The named machines stay what they were.
    assert find_machine("RTX 4060").gpus[0].free_bytes == 7_941_455_872
    assert find_machine("RTX 5090 + 64GB") is find_machine("RTX 5090 32 GB + 64 GB")


def test_several_cards_in_one_machine() -> None:
    machine = find_machine("2x RTX 3090 + 128 GB")
    assert machine.name == "2× RTX 3090 24 GB + 128 GB"
    assert [gpu.id for gpu in machine.gpus] == ["nvidia-0", "nvidia-1"]
    first, second = (gpu.free_bytes or 0 for gpu in machine.gpus)
    assert first < second  # the display hangs on one of them
    assert find_machine(machine.name) == machine


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("4090", {"RTX 4090 24 GB + 64 GB", "RTX 4090 Laptop 16 GB + 64 GB"}),
        ("M4 Max", {"M4 Max 36 GB", "M4 Max 48 GB", "M4 Max 64 GB", "M4 Max 128 GB"}),
        ("RTX 4060 Ti + 64", {"RTX 4060 Ti 8 GB + 32 GB", "RTX 4060 Ti 16 GB + 64 GB"}),
        ("RTX 3090 + 1 GB", {"RTX 3090 24 GB + 64 GB"}),
        ("9x RTX 3090", {"RTX 3090 24 GB + 64 GB"}),
        ("RTX 3090 + 999999999999 GB", {"RTX 3090 24 GB + 64 GB"}),
    ],
)
def test_what_is_not_one_machine_is_refused_with_those_it_may_be(
    name: str, candidates: set[str]
) -> None:
    with pytest.raises(NotFound) as failure:
        find_machine(name)
    assert set(failure.value.candidates) == candidates


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("RTX 4O60", "RTX 4060 8 GB + 32 GB"),
        ("M4 Mx", "M4 Max 64 GB"),
        ("strix hallo", "Strix Halo 128 GB"),
    ],
)
def test_a_slip_of_the_finger_is_told_what_comes_near(name: str, nearest: str) -> None:
    with pytest.raises(NotFound) as failure:
        find_machine(name)
    assert failure.value.candidates[0] == nearest


def test_the_share_that_metal_lends_grows_and_is_never_above_what_was_reported() -> None:
    reported = {16: 10_922 << 20, 24: 17_179_890_000, 32: 21_845 << 20, 64: int(0.8 * 64 * GIB)}
    for size, most in reported.items():
        assert expected_working_set(size * GIB) <= most * 1.0005
    shares = [expected_working_set(size * GIB) / (size * GIB) for size in (8, 32, 48, 64, 96, 512)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (pytest.approx(2 / 3), pytest.approx(0.84))


def test_the_same_name_is_two_chips_and_the_ram_tells_which() -> None:
    assert apple_bandwidth("Apple M4 Max", 36 * GIB) == 410 * GB
    assert apple_bandwidth("Apple M4 Max", 64 * GIB) == 546 * GB
    assert apple_bandwidth("Apple M4 Max", 40 * GIB) == 410 * GB  # not sold: the slower one
    assert apple_bandwidth("Apple M99", 64 * GIB) is None


def test_memory_kinds_are_written_alike() -> None:
    import tomllib

    from openshelf import paths

    kinds = set()
    for file in (paths.resources() / "hardware").glob("cards-*.toml"):
        for family in tomllib.loads(file.read_text("utf-8"))["families"]:
            kinds |= {row["memory"] for row in family["cards"]}
    assert kinds <= MEMORY_KINDS


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptCatalog) as failure:
        load_cards(tmp_path)
    assert failure.value.path == "pcs.toml"
    file = tmp_path / "macs.toml"
    file.write_text("[[chips]]\nname = 'M1'\n", encoding="utf-8")
    with pytest.raises(CorruptCatalog) as failure:
        load_chips(file)
    assert failure.value.path == "macs.toml"
