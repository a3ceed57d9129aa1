"""NOTICE and LICENSE files beside a model that is passed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.hub.names import safe_join
from openshelf.library.bom import BomEntry
from openshelf.library.bundling import Bundles
from openshelf.library.notices import NoticeFiles, notice_files
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.claims import RepoText
from openshelf.licenses.effective import LicenseText
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.paths import apache_license_text
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import OpenHome
from tests.library.foreign import gguf
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


def test_a_text_is_the_one_that_was_accepted(log: AcceptanceLog) -> None:
    license_ = llama()
    log.texts.keep(license_.texts)
    found = written(entry_of(without_texts(license_)), log)
    assert found.files["LICENSE"] == LLAMA
    assert found.missing == ("llama3.1:use_policy",)
    assert sorted(found.files) == ["LICENSE", "NOTICE"]


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


POLICY = RepoText("use_policy", "USE_POLICY.md", "Llama 3.1 Acceptable Use Policy\n")


def with_files(*base: RepoText, target: tuple[RepoText, ...] = ()) -> EffectiveLicense:
    """Llama 3.1 below a packager, with these files beside the licenses."""
    return resolve(
        RepoClaims(
            "p/m-GGUF", "d" * 40,
            card={"license": "llama3.1", "base_model": "meta-llama/Llama-3.1-8B"},
            other_texts=target,
        ),
        lambda repo: RepoClaims(
            repo, "e" * 40, card={"license": "llama3.1"}, license_text=LLAMA, other_texts=base
        ),
    )  # fmt: skip


def test_use_policy_and_notice_of_the_publisher_go_along(log: AcceptanceLog) -> None:
    notice = RepoText("notice", "NOTICE", "Portions © somebody\n")
    found = with_files(POLICY, notice, target=(POLICY, notice))
    kinds = [(text.kind, text.repo, text.license) for text in found.texts]
    base = "meta-llama/Llama-3.1-8B"
    assert kinds == [(kind, base, "llama3.1") for kind in ("license", "use_policy", "notice")], (
        "once each, the licensor's own"
    )
    assert found.texts[1].url == f"https://huggingface.co/{base}/blob/{'e' * 40}/USE_POLICY.md"
    log.texts.keep(found.texts)
    files = written(entry_of(without_texts(found)), log)
    assert files.missing == ()
    assert files.files["USE_POLICY-llama3.1.txt"] == POLICY.text
    assert files.files["NOTICE-meta-llama--Llama-3.1-8B.txt"] == "Portions © somebody\n"
    assert "NOTICE of meta-llama/Llama-3.1-8B: NOTICE-meta-llama--" in files.files["NOTICE"]


def test_another_policy_of_a_packager_is_not_lost() -> None:
    own = RepoText("use_policy", "AUP.md", "And nothing for the military.\n")
    found = with_files(POLICY, target=(own,))
    policies = [text for text in found.texts if text.kind == "use_policy"]
    assert [text.text for text in policies] == [POLICY.text, own.text]
    entry = entry_of(found)
    names = notice_files(entry.model, entry.decision, LICENSES, lambda _: None).files
    assert names["USE_POLICY-llama3.1.txt"] == POLICY.text
    assert names["USE_POLICY-llama3.1-2.txt"] == own.text


def test_a_policy_of_a_silent_packager_is_that_of_the_license() -> None:
    claims = RepoClaims("p/m-GGUF", card={"base_model": "meta-llama/Llama-3.1-8B"},
                        other_texts=(POLICY,))  # fmt: skip
    found = resolve(claims, lambda repo: RepoClaims(repo, card={"license": "llama3.1"}))
    (policy,) = [text for text in found.texts if text.kind == "use_policy"]
    assert (policy.license, policy.repo) == ("llama3.1", "p/m-GGUF")


def test_a_policy_beside_a_license_that_knows_of_none_is_shown() -> None:
    claims = RepoClaims("o/m", card={"license": "mit"}, other_texts=(POLICY,))
    (_, policy) = resolve(claims, lambda _: None).texts
    assert (policy.kind, policy.license, policy.text) == ("use_policy", "mit", POLICY.text)
    nobody = RepoClaims("o/m", other_texts=(RepoText("notice", "NOTICE", "©"),))
    texts = resolve(nobody, lambda _: None).texts
    assert [text.kind for text in texts] == ["license", "notice"]


def test_the_usage_policy_of_gpt_oss_is_its_overlay() -> None:
    usage = RepoText("use_policy", "USAGE_POLICY", "We aim for our tools to be used safely\n")
    claims = RepoClaims("openai/gpt-oss-20b", card={"license": "apache-2.0"}, other_texts=(usage,))
    texts = {text.license: text for text in resolve(claims, lambda _: None).texts}
    assert texts["gpt-oss-usage-policy"].text == usage.text
    assert texts["apache-2.0"].text != usage.text
    assert len(texts) == 2


def test_names_from_a_strangers_bundle_stay_in_the_folder(tmp_path: Path) -> None:
    odd = LicenseText("../../x", "", "1" * 64, 1, "a", kind="use_policy")
    worse = LicenseText("mit", "", "2" * 64, 1, "b", kind="notice", repo="../../etc/" + "x" * 400)
    entry = entry_of(replace(llama(), texts=(odd, worse, worse)))
    found = notice_files(entry.model, entry.decision, LICENSES, lambda _: None)
    assert len(found.files) == 4
    assert all(safe_join(tmp_path, name).parent == tmp_path for name in found.files)


def test_a_bundle_carries_them_and_shows_them_where_it_arrives(
    open_at: OpenHome, tmp_path: Path
) -> None:
    texts = {"LICENSE": LLAMA, "USE_POLICY.md": POLICY.text, "NOTICE": "Portions © somebody\n"}
    with LoopbackHub() as hub:
        files = {name: text.encode() for name, text in texts.items()}
        hub.add_repo("ada/Small-GGUF", {"Small-Q4_K_M.gguf": gguf("a"), **files},
                     card={"license": "llama3.1"})  # fmt: skip
        home = open_at(endpoint=hub.endpoint)
        model = home.install("ada/Small-GGUF")
    bundles = Bundles(home.parts, home.installer, dict)
    report = bundles.export([model], tmp_path / "usb", CancelToken(), no_report)
    assert report.licenses_missing == ()
    folder = tmp_path / "usb" / "models" / "1"
    assert (folder / "USE_POLICY-llama3.1.txt").read_text("utf-8") == POLICY.text
    assert (folder / "NOTICE-ada--Small-GGUF.txt").read_text("utf-8") == texts["NOTICE"]
    _, (found,) = bundles.read(tmp_path / "usb", CancelToken(), no_report)
    shown = {text.kind: text.text for text in found.offer.decision.license.texts}
    assert shown == {
        "license": LLAMA, "use_policy": POLICY.text, "notice": texts["NOTICE"]
    }  # fmt: skip
