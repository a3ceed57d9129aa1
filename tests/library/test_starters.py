"""Starter models that come in several packages: put together, verified, and never half there."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.errors import CancelledByUser, ChecksumMismatch, LicenseNotAccepted, NotEnoughDisk
from openshelf.fit.memory import FitRequest
from openshelf.hub.targets import parse_target
from openshelf.library import installer as installer_module
from openshelf.library import starter
from openshelf.library.fitting import Fitting, TargetQuestion
from openshelf.library.headers import Headers
from openshelf.library.starter import (
    GEMMA,
    StarterModel,
    StarterPart,
    StarterTerms,
    find_starters,
)
from openshelf.library.starter_terms import words_of_page
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.lineage import resolve
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.example_data import plain_machine
from tests.library.conftest import OpenHome
from tests.library.foreign import gguf, put
from tests.library.test_verifying import flip

REPO = "ada/Parted-GGUF"


class Packages:
    """Three packages, each with a third of a small model."""

    def __init__(self, folder: Path) -> None:
        content = gguf("Parted", "gemma")
        third = len(content) // 3
        pieces = (content[:-third], content[-third:-10], content[-10:])
        self.files = [
            put(folder / f"parted{number}" / "data" / f"m.part{number}", piece)
            for number, piece in enumerate(pieces)
        ]
        self.content = content
        self.model = StarterModel(
            repo=REPO, commit="", file="parted-Q4_K_M.gguf", name="Parted", quant="Q4_K_M",
            size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(),
            base="google/gemma-3-270m", license="gemma",
            parts=tuple(StarterPart(f"parted{n}", f"data/m.part{n}") for n in range(3)),
        )  # fmt: skip


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    made = Packages(tmp_path / "site-packages")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    monkeypatch.setattr(starter, "KNOWN", (made.model,))
    return made


def test_it_is_offered_under_its_own_terms_and_put_together(
    open_at: OpenHome, packages: Packages
) -> None:
    home = open_at(offline=True)
    offer = home.prepare(f"{REPO}:Q4_K_M")
    assert (offer.source, offer.repo, offer.model_name) == ("starter", "local", "Parted")
    assert offer.packager == "ada"
    assert offer.decision.license.effective == ("gemma",)
    assert [node.repo for node in offer.decision.license.lineage] == [REPO, packages.model.base]
    assert offer.left_bytes == len(packages.content)
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(offer)
    seen: list[Progress] = []
    clearance = home.installer.accept(offer, AcceptanceForm())
    model = home.installer.install(offer, clearance, CancelToken(), seen.append)
    assert {"copying", "verifying"} <= {progress.phase for progress in seen}
    assert Path(model.first_file.location).read_bytes() == packages.content
    assert model.id == f"local@{packages.model.sha256[:8]}:parted-Q4_K_M"
    assert home.installer.clear_installed(model).record_id == model.record_id
    assert home.prepare(f"{REPO}:Q4_K_M").installed_id == model.id
    assert find_starters({packages.model.sha256}) == ()

    flip(model)
    home.library.verify(model.id, CancelToken(), no_report)
    assert home.install(model.id).damaged is None
    assert home.library.remove(model.id).freed_bytes == len(packages.content)
    assert all(file.exists() for file in packages.files)


@pytest.mark.parametrize("fault", ["missing", "short", "changed", "swapped"])
def test_packages_that_are_not_whole_offer_nothing(packages: Packages, fault: str) -> None:
    assert [found.model for found in find_starters()] == [packages.model]
    first, second, third = packages.files
    if fault == "missing":
        third.unlink()
    elif fault == "short":
        second.write_bytes(second.read_bytes()[:-1])
    elif fault == "changed":
        data = bytearray(second.read_bytes())
        data[5] ^= 1
        second.write_bytes(data)
    else:
        a, b = first.read_bytes(), second.read_bytes()
        first.write_bytes(b)
        second.write_bytes(a)
    assert find_starters() == ()
    assert starter.find_starter(lambda _: True) is None


def test_what_changes_after_the_offer_is_refused(open_at: OpenHome, packages: Packages) -> None:
    home = open_at()
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    data = bytearray(packages.files[1].read_bytes())
    data[5] ^= 1
    packages.files[1].write_bytes(data)
    with pytest.raises(ChecksumMismatch):
        home.installer.install(offer, clearance, CancelToken(), no_report)
    nothing_is_left(home.models)
    assert home.library.installed() == ()


@pytest.mark.usefixtures("packages")
def test_it_can_be_cancelled_and_leaves_nothing(open_at: OpenHome) -> None:
    home = open_at()
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    cancel = CancelToken()

    def report(progress: Progress) -> None:
        cancel.cancel()

    with pytest.raises(CancelledByUser):
        home.installer.install(offer, clearance, cancel, report)
    nothing_is_left(home.models)
    assert home.library.installed() == ()


@pytest.mark.usefixtures("packages")
def test_the_disk_is_looked_at_before(open_at: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_at()
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    monkeypatch.setattr(installer_module, "free_bytes", lambda _: 1000)
    with pytest.raises(NotEnoughDisk) as refused:
        home.installer.install(offer, clearance, CancelToken(), no_report)
    assert refused.value.free_bytes == 1000
    nothing_is_left(home.models)


@pytest.mark.usefixtures("packages")
def test_its_header_is_read_from_the_first_part(open_at: OpenHome, packages: Packages) -> None:
    home = open_at()
    headers = Headers(home.library, home.parts.client)
    fitting = Fitting(headers, home.parts.catalog, engine=None)  # type: ignore[arg-type]
    question = TargetQuestion(REPO, FitRequest(context_length=512))
    assert fitting.fit_target(question, plain_machine(), CancelToken()).fit.verdict.fits
    here = headers.at_hand(parse_target(REPO))
    assert here is not None
    assert here.whole_bytes == len(packages.content)


@pytest.mark.parametrize(
    "text", ["ada/Parted-GGUF:Q8_0", "ada/Other-GGUF", "ada/Parted-GGUF/x.gguf"]
)
def test_what_only_sounds_like_it_is_not_meant(packages: Packages, text: str) -> None:
    assert not packages.model.is_meant_by(parse_target(text))
    assert packages.model.is_meant_by(parse_target(f"hf:{REPO}:q4_k_m"))


@pytest.mark.skipif(
    importlib.util.find_spec(GEMMA.parts[0].package) is None, reason="package not installed"
)
def test_the_real_packages_are_what_we_know() -> None:
    assert GEMMA in [found.model for found in find_starters()]


def nothing_is_left(models: Path) -> None:
    assert [path for path in models.rglob("*") if path.is_file()] == []


PAGE = """<!doctype html><html><head><title>Terms</title><style>x { y }</style></head>
<body><nav><div>Sign in</div></nav>
<div class="site article-body other"><script>track("me")</script><h2>1. A &amp; B</h2>
<p>You   may
<b>use</b> it.</p><div><p>Also this.</div></div>
<div>Footer</div></body></html>"""


@pytest.mark.parametrize("model", starter.KNOWN, ids=lambda model: str(model.name))
def test_the_home_of_its_maker_is_known(model: StarterModel) -> None:
    """A policy that denies a region would else ask for a review of what comes with the app."""
    found = resolve(starter.starter_claims(model), starter.fetch_starter_claims)
    assert found.unknown_vendors == ()
    assert "US" in found.vendor_regions


def test_the_words_of_a_page_are_taken_without_the_page() -> None:
    words = words_of_page(PAGE, "article-body")
    assert words == "1. A & B\nYou may\nuse it.Also this."
    assert words_of_page(PAGE, "article") == ""
    assert words_of_page("<div class='a'>" * 5000 + "x", "a") == "x"


@pytest.mark.parametrize("is_changed", [False, True])
def test_the_terms_in_a_package_can_be_read_before_they_are_accepted(
    open_at: OpenHome, packages: Packages, monkeypatch: pytest.MonkeyPatch, is_changed: bool
) -> None:
    part = StarterPart("parted0", "data/TERMS.html")
    path = put(packages.files[0].with_name("TERMS.html"), PAGE)
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    terms = StarterTerms(part, known, "article-body")
    monkeypatch.setattr(starter, "KNOWN", (replace(packages.model, terms=terms),))
    if is_changed:
        path.write_text(f"{PAGE}<!-- other -->", encoding="utf-8")
    home = open_at(offline=True)
    text = home.prepare(REPO).decision.license.texts[0]
    assert text.url == "https://ai.google.dev/gemma/terms"
    assert text.text == (None if is_changed else words_of_page(PAGE, "article-body"))
    assert bool(text.sha256) is not is_changed
    home.install(REPO)
    (record,) = home.parts.acceptances.records()
    shown = next(t for t in record["texts"] if t["kind"] == "license")
    assert shown["sha256"] == text.sha256
