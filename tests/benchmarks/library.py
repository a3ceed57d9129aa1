"""How long a library of 5,000 files in three folders takes to open, to look through and to show.

Run it by hand: `python -m tests.benchmarks.library`. Medians of seven, wall clock; the targets are
200 ms to open (database and list of what is there) and 2 s to look through all folders anew. Files
are sparse, in the cache's layout, with every tenth model in two shards. The window's part is drawn
offscreen: what the page does in its own thread, beside the tasks.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from typing_extensions import override

from openshelf.library.folders import ModelFolders
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.scanning import scan
from openshelf.library.store import Library
from openshelf.licenses.effective import EffectiveLicense
from openshelf.tasks import CancelToken, no_report

FILES, FOLDERS, ROUNDS = 5000, 3, 7
SIZE = 1 << 20
"""Bytes of each file; none of them is on disk."""
LICENSE = EffectiveLicense(("apache-2.0",), "Apache-2.0", (), ())


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def timed(work: Callable[[], object]) -> str:
    """Median, least and most, in milliseconds; and the median of the CPU time in it."""
    rounds, spent = [], []
    for _ in range(ROUNDS):
        begun, cpu = time.perf_counter(), time.process_time()
        work()
        rounds.append((time.perf_counter() - begun) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
    middle = f"{statistics.median(rounds):.0f} ms (from {min(rounds):.0f} to {max(rounds):.0f})"
    return f"{middle}, CPU {statistics.median(spent):.0f} ms"


def write_file(folder: Path, number: int) -> Path:
    """A sparse file behind its link, as a download leaves it."""
    repo = folder / f"models--ada--Model-{number // 2:04}-GGUF"
    blob, snapshot = repo / "blobs" / f"{number:064x}", repo / "snapshots" / ("1" * 40)
    for place in (blob.parent, snapshot):
        place.mkdir(parents=True, exist_ok=True)
    with blob.open("wb") as file:
        file.truncate(SIZE)
    link = snapshot / f"model-{number}.gguf"
    link.symlink_to(os.path.relpath(blob, snapshot))
    return link


def model_of(number: int, links: list[Path]) -> InstalledModel:
    files = tuple(
        InstalledFile(link.name, str(link), SIZE, f"{number:060x}{at:04x}")
        for at, link in enumerate(links)
    )
    now = f"2026-11-{1 + number % 25:02}T09:00:00Z"
    name = f"Model {number:04}"
    return InstalledModel(
        f"ada/{name}@11111111:{name}", "ada/Model", "1" * 40, name, "Q4_K_M", files,
        "Apache-2.0", ("apache-2.0",), "record", "hub", now, now, now, 21.0,
    )  # fmt: skip


class _Filling(Library):
    """Enters models without reading the whole list after each."""

    def put(self, model: InstalledModel) -> None:
        self._only = model
        self.register(model, LICENSE, frozenset(file.location for file in model.files))

    @override
    def installed(self) -> tuple[InstalledModel, ...]:
        return (self._only,)


def fill(home: Path, folders: list[Path]) -> int:
    """5,000 files in the folders and in the manifest; how many models that makes."""
    library = _Filling(home / "library.sqlite3", open_folders(folders))
    number = count = 0
    while number < FILES:
        shards = 2 if count % 10 == 0 and number + 2 <= FILES else 1
        folder = folders[count % len(folders)]
        links = [write_file(folder, number + at) for at in range(shards)]
        library.put(model_of(count, links))
        number, count = number + shards, count + 1
    library.close()
    return count


def open_folders(folders: list[Path]) -> ModelFolders:
    return ModelFolders(folders[0], lambda: [str(folder) for folder in folders[1:]])


def measure(home: Path, folders: list[Path]) -> None:
    def open_it() -> None:
        library = Library(home / "library.sqlite3", open_folders(folders))
        assert sum(len(model.files) for model in library.installed()) == FILES
        library.close()

    say(f"opens, with the list: {timed(open_it)}, target 200")
    library = Library(home / "library.sqlite3", open_folders(folders))
    say(f"the list once more: {timed(library.installed)}")

    def look() -> None:
        report = scan(library, CancelToken(), no_report)
        assert (report.unchanged, report.doubts, report.strangers) == (FILES, (), ())

    say(f"looks through all folders: {timed(look)}, target 2000")
    measure_window(library.installed())
    library.close()


def measure_window(models: tuple[InstalledModel, ...]) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from openshelf.library.disk_use import disk_use
    from openshelf.licenses.facts import load_licenses
    from openshelf.ui.models.library_facts import LibraryFacts
    from openshelf.ui.pages.library_installed import InstalledCard

    app = QApplication.instance() or QApplication(sys.argv[:1])
    licenses = load_licenses()
    say(f"what the models take: {timed(lambda: disk_use(models))}")
    facts = LibraryFacts(models, licenses=licenses, use=disk_use(models))

    def show() -> None:
        card = InstalledCard()
        card.resize(1100, 760)
        card.show_facts(facts)
        card.show()
        app.processEvents()
        card.grab()
        card.deleteLater()

    say(f"the window's own thread shows them: {timed(show)}")
    card = InstalledCard()
    card.show_facts(facts)
    say(f"and shows them again: {timed(lambda: card.show_facts(facts))}")


def main() -> None:
    say(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        folders = [home / f"folder {number}" for number in range(FOLDERS)]
        for folder in folders:
            folder.mkdir()
        count = fill(home, folders)
        say(f"{FILES} files of {count} models in {FOLDERS} folders")
        measure(home, folders)


if __name__ == "__main__":
    main()
