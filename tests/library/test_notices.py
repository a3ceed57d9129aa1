"""NOTICE and LICENSE files beside a model that is passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.library.bom import BomEntry
from openshelf.library.notices import NoticeFiles, notice_files, write_notices
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.paths import apache_license_text
from tests.library.test_bom import chain, entry_of

LICENSES = load_licenses()
LLAMA = "Llama 3.1 Community License Agreement\nLlama Materials …\n"


def written(entry: BomEntry, log: AcceptanceLog) -> NoticeFiles:
    return notice_files(entry.model, entry.decision, LICENSES, log.texts.read)


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    return AcceptanceLog(tmp_path / "log.jsonl", tmp_path / "head.json")


def llama() -> EffectiveLicense:
    return resolve(
        RepoClaims(
            "p/m-GGUF",
            card={"license": "llama3.1", "base_model": "meta-llama/Llama-3.1-8B"},
            files=("m.gguf",),
        ),
        lambda repo: RepoClaims(
            repo, "e" * 40, card={"license": "llama3.1"}, license_text=LLAMA, files=("LICENSE",)
        ),
    )


def without_texts(license_: EffectiveLicense) -> EffectiveLicense:
    from openshelf.licenses.effective import effective_from_json

    return effective_from_json(license_.as_json())


def test_exact_lines_stand_alone(log: AcceptanceLog) -> None:
    notice = written(entry_of(llama()), log).files["NOTICE"]
    exact = next(d.exact for d in LICENSES["llama3.1"].obligations if d.id == "notice_file")
    assert exact
    assert f"\n\n{exact}\n\n" in notice
    assert "“Built with Llama”" in notice
    assert "meta-llama/Llama-3.1-8B at " + "e" * 40 in notice
    assert "m-00001-of-00002.gguf, SHA-256 " + "1" * 64 in notice


def test_a_text_is_the_one_that_was_accepted(log: AcceptanceLog, tmp_path: Path) -> None:
    license_ = llama()
    log.texts.keep(license_.texts)
    found = written(entry_of(without_texts(license_)), log)
    assert found.files["LICENSE"] == LLAMA
    assert found.missing == ("llama3.1:use_policy",)
    paths = write_notices(tmp_path / "bundle" / "m", found)
    assert sorted(path.name for path in paths) == ["LICENSE", "NOTICE"]
    assert (tmp_path / "bundle" / "m" / "LICENSE").read_text("utf-8") == LLAMA


def test_a_text_that_is_not_here_is_said(log: AcceptanceLog) -> None:
    found = written(entry_of(without_texts(llama())), log)
    assert list(found.files) == ["NOTICE"]
    assert found.missing == ("llama3.1", "llama3.1:use_policy")
    assert "the text is not at hand; get it from https://" in found.files["NOTICE"]


def test_each_license_has_its_file(log: AcceptanceLog) -> None:
    license_ = chain(
        {"license": "apache-2.0", "base_model": "o1/m1", "base_model_relation": "quantized"},
        {"license": "gemma"},
    )
    found = written(entry_of(license_), log)
    apache = apache_license_text().read_text("utf-8")
    assert found.files["LICENSE-apache-2.0.txt"] == apache
    assert "gemma" in found.missing
    notice = found.files["NOTICE"]
    assert "Gemma is provided under and subject to the Gemma Terms of Use" in notice
    assert "a quantized or fine-tuned file counts" in notice, "it was changed by its packager"


@pytest.mark.parametrize("license_id", sorted(LICENSES))
def test_every_exact_line_for_passing_on_is_there(license_id: str, log: AcceptanceLog) -> None:
    license_ = resolve(
        RepoClaims("o/m", card={"license": "mit"}), lambda _: None
    )  # fmt: skip
    from dataclasses import replace

    notice = written(entry_of(replace(license_, effective=(license_id,))), log).files["NOTICE"]
    for duty in LICENSES[license_id].obligations:
        if "redistribute" in duty.trigger:
            assert duty.text in notice
            assert not duty.exact or duty.exact in notice
