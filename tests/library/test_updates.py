"""A changed license upstream is seen before anything is fetched; one that did not change is not
asked for again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openshelf.cli.main import run_command
from openshelf.errors import LicenseNotAccepted, NeedsReview, NotFound
from openshelf.library.bom import BomContext, BomEntry, bom_json
from openshelf.library.installed import InstalledModel
from openshelf.library.notices import notice_files
from openshelf.library.updates import UpdateReport
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.changes import Passage, compare_terms
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.facts import load_licenses
from openshelf.policy.organization import Policy
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile
from tests.gguf.builder import STRING, U32, Build, model_keys
from tests.library.conftest import Home, OpenHome
from tests.library.foreign import put

REPO, BASE = "ada/Small-GGUF", "meta-llama/Small"
TERMS = (
    "Llama 3.2 Community License Agreement\n\n1. The Llama Materials may be used.\n2. The end.\n"
)
CARD = {"license": "llama3.2", "base_model": BASE, "base_model_relation": "quantized"}
NAME = "Small-Q4_K_M.gguf"


def publish(hub: LoopbackHub, terms: str = TERMS, weights: bytes = b"GGUF 1", **card: str) -> None:
    """The packager's repository and its base, as they are from now on."""
    packaged = hub.repos.get(REPO.casefold()) or hub.add_repo(REPO, {NAME: b""}, card=CARD)
    packaged.commit([FakeFile(NAME, weights), FakeFile("README.md", b"# hello")])
    base = hub.repos.get(BASE.casefold()) or hub.add_repo(BASE, {"x": b""})
    base.card = {"license": "llama3.2", **card}
    base.commit([FakeFile("LICENSE", terms.encode())])


def installed(hub: LoopbackHub, open_at: OpenHome) -> tuple[Home, InstalledModel]:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    return home, home.install(REPO)


def update(home: Home, model: InstalledModel) -> UpdateReport:
    return home.installer.check_update(model, CancelToken(), no_report)


def test_nothing_new(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    bodies = len(hub.bodies())
    found = update(home, model)
    assert (found.state, found.terms.is_changed, found.gate) == ("current", False, "accepted")
    assert found.as_json()["download_bytes"] == 0
    assert len(hub.bodies()) == bodies


def test_a_text_that_changed_below_the_same_files(hub: LoopbackHub, open_at: OpenHome) -> None:
    """The packager did nothing; the base model's license is another one now."""
    home, model = installed(hub, open_at)
    publish(hub, TERMS.replace("The end.", "Not for companies."))
    bodies = len(hub.bodies())
    found = update(home, model)
    assert len(hub.bodies()) == bodies, "not a byte of a model before the terms"
    assert (found.state, found.gate) == ("terms_changed", "ask")
    (text,) = [text for text in found.terms.texts if text.is_changed]
    assert (text.license, text.before != text.after) == ("llama3.2", True)
    assert "-2. The end." in text.diff
    assert "+2. Not for companies." in text.diff
    assert "license_changed" in found.terms.flags_added
    assert found.offer.decision.verdict.value == "needs_review"
    with pytest.raises(NeedsReview):
        home.under(Policy(sha256="1" * 64)).clear(found.offer)


def test_asked_again_even_for_the_same_files(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    publish(hub, TERMS.replace("The end.", "Not for companies."))
    assert home.installer.clear_installed(model).record_id == model.record_id
    home.library.remove(model.id)
    offer = home.prepare(REPO)
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(offer)
    again = home.installer.accept(offer, AcceptanceForm("Ada"))
    assert again.record_id != model.record_id
    offer = home.prepare(REPO)
    assert "license_changed" not in offer.decision.license.flags
    assert home.installer.clear(offer).record_id == again.record_id


def test_what_changed_is_shown_where_it_is_asked_again(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    assert home.prepare(REPO).change is None
    publish(hub, TERMS.replace("The end.", "Not for companies."), b"GGUF 2")
    offer = home.prepare(f"hf:{REPO}")
    change = offer.change
    assert change is not None
    (text,) = change.changed_texts
    assert text.is_compared
    assert text.passages == (Passage(("2. The end.",), ("2. Not for companies.",), 4),)
    assert (change.accepted_in, len(change.accepted_on)) == (model.record_id, 10)
    home.installer.accept(offer, AcceptanceForm("Ada"))
    first, second = home.parts.acceptances.records()
    assert (first["supersedes"], second["supersedes"]) == (None, model.record_id)
    assert "license_changed" in second["effective"]["flags"]
    assert home.prepare(f"hf:{REPO}").change is None


def test_terms_accepted_for_the_same_files_are_the_models_own(
    hub: LoopbackHub, open_at: OpenHome, tmp_path: Path
) -> None:
    """Text, licenses, NOTICE and BOM are those that were accepted last; without an acceptance they
    stay, and one that is taken back loads nothing under the terms before it."""
    home, model = installed(hub, open_at)
    terms = TERMS.replace("The end.", "Not for companies.")
    publish(hub, terms)
    offer = home.prepare(f"hf:{REPO}")
    old = home.library.effective_license(model.id)
    assert home.installer.clear_installed(model).record_id == model.record_id
    clearance = home.installer.accept(offer, AcceptanceForm("Ada"))
    bodies = len(hub.bodies())
    again = home.installer.install(offer, clearance, CancelToken(), no_report)
    assert len(hub.bodies()) == bodies
    assert (again.id, again.record_id) == (model.id, clearance.record_id)
    kept = home.library.effective_license(model.id)
    assert kept.texts[0].sha256 != old.texts[0].sha256
    assert "license_changed" not in kept.flags
    assert home.parts.acceptances.texts.read(kept.texts[0].sha256) == terms
    assert update(home, again).state == "current"
    decision = home.parts.gate.decide(kept)
    licenses = load_licenses()
    notices = notice_files(again, decision, licenses, home.parts.acceptances.texts.read)
    assert notices.files["LICENSE"] == terms
    context = BomContext(datetime.now(UTC), licenses, home.parts.acceptances.verify())
    bom = bom_json([BomEntry(again, kept, decision)], context)
    assert hashlib.sha256(terms.encode()).hexdigest() in bom
    assert old.texts[0].sha256 not in bom
    assert str(clearance.record_id) in bom
    assert home.installer.clear_installed(again).record_id == clearance.record_id
    home.parts.acceptances.revoke(str(clearance.record_id), AcceptanceForm("Ada"))
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear_installed(again)


def test_terms_that_nobody_accepted_are_not_kept(hub: LoopbackHub, open_at: OpenHome) -> None:
    """The clearance of the old terms says nothing of what the Hub has now."""
    home, model = installed(hub, open_at)
    before = home.library.effective_license(model.id)
    old = home.installer.clear_installed(model)
    publish(hub, TERMS.replace("The end.", "Not for companies."))
    offer = home.prepare(f"hf:{REPO}")
    assert home.installer.install(offer, old, CancelToken(), no_report).record_id == old.record_id
    assert home.library.effective_license(model.id) == before


def test_accepted_on_the_command_line_too(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    assert run_command(["install", REPO, "--accept", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    terms = TERMS.replace("The end.", "Not for companies.")
    publish(hub, terms)
    assert run_command(["install", f"hf:{REPO}", "--accept", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["id"] == first["id"]
    assert second["acceptance"]["record_id"] != first["acceptance"]["record_id"]
    assert run_command(["bom"]) == 0
    bom = capsys.readouterr().out
    assert hashlib.sha256(terms.encode()).hexdigest() in bom
    assert second["acceptance"]["record_id"] in bom
    assert run_command(["update", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["updates"]
    assert answer["state"] == "current"


def test_each_file_is_asked_for_again(hub: LoopbackHub, open_at: OpenHome) -> None:
    """That somebody accepted the new text with another file of the repository is no answer."""
    home, _ = installed(hub, open_at)
    packaged = hub.repos[REPO.casefold()]
    packaged.commit([FakeFile(NAME, b"GGUF 1"), FakeFile("Small-Q8_0.gguf", b"GGUF 8")])
    home.install(f"hf:{REPO}:Q4_K_M")
    hub.repos[BASE.casefold()].commit([FakeFile("LICENSE", TERMS.replace("end", "gate").encode())])
    eight = home.prepare(f"{REPO}:Q8_0")
    assert eight.change is not None, "the newest acceptance of the repository"
    home.installer.accept(eight, AcceptanceForm("Ada"))
    four = home.prepare(f"hf:{REPO}:Q4_K_M")
    assert four.change is not None
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(four)
    home.installer.accept(four, AcceptanceForm("Ada"))
    assert home.prepare(f"hf:{REPO}:Q4_K_M").change is None
    assert home.prepare(f"hf:{REPO}:Q8_0").change is None


def add_files(hub: LoopbackHub, **files: str) -> None:
    base = hub.repos[BASE.casefold()]
    names = {"policy": "USE_POLICY.md", "notice": "NOTICE"}
    base.commit(
        [FakeFile("LICENSE", TERMS.encode())]
        + [FakeFile(names[key], text.encode()) for key, text in files.items()]
    )


def test_a_use_policy_that_changed_is_asked_again_and_a_notice_is_not(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish(hub)
    add_files(hub, policy="Do no harm.\n", notice="© A\n")
    home = open_at(endpoint=hub.endpoint)
    model = home.install(REPO)
    (record,) = home.parts.acceptances.records()
    kinds = {text["kind"]: text for text in record["texts"]}
    assert set(kinds) == {"license", "use_policy", "notice"}
    assert all(len(text["sha256"]) == 64 for text in kinds.values())
    add_files(hub, policy="Do no harm.\n", notice="© A and B\n")
    offer = home.prepare(f"hf:{REPO}")
    assert offer.change is None
    assert home.installer.clear(offer).record_id == model.record_id
    add_files(hub, policy="Do no harm, and no chess.\n", notice="© A and B\n")
    offer = home.prepare(f"hf:{REPO}")
    assert offer.change is not None
    assert "license_changed" in offer.decision.license.flags
    found = {text.kind: text.passages for text in offer.change.changed_texts}
    assert found["use_policy"] == (Passage(("Do no harm.",), ("Do no harm, and no chess.",), 1),)
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(offer)
    packaged = hub.repos[REPO.casefold()]
    packaged.commit([FakeFile(NAME, b"GGUF 2")])
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(home.prepare(f"hf:{REPO}"))


def test_a_use_policy_too_large_for_one_is_not_read(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    add_files(hub, policy="x" * ((1 << 20) + 1))
    home = open_at(endpoint=hub.endpoint)
    texts = home.prepare(REPO).decision.license.texts
    (policy,) = [text for text in texts if text.kind == "use_policy"]
    assert (policy.sha256, policy.text) == ("", None)
    assert policy.url.startswith("https://"), "the address of the policy is still told"


def test_the_terms_above_a_file_on_disk_may_change_too(
    hub: LoopbackHub, open_at: OpenHome, tmp_path: Path
) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    url = f"https://huggingface.co/{BASE}"
    above: dict[str, Any] = {
        "general.base_model.count": (U32, 1),
        "general.base_model.0.repo_url": (STRING, url),
    }
    path, other = (
        put(
            tmp_path / f"{name}.gguf",
            Build({**model_keys(general__name=(STRING, name)), **above}).bytes(),
        )
        for name in ("own", "other")
    )
    home.install(str(path))
    publish(hub, TERMS.replace("The end.", "Not for companies."))
    change = home.prepare(str(path)).change
    assert change is not None
    assert [text.license for text in change.changed_texts] == ["llama3.2"]
    assert home.prepare(str(other)).change is None, "it was never accepted"
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(home.prepare(str(path)))
    hub.repos.clear()
    assert home.prepare(str(path)).change is None, "what cannot be read is not compared"


def test_records_written_by_hand_do_no_harm(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, _ = installed(hub, open_at)
    log = home.parts.acceptances
    for odd in ({"texts": 7}, {"texts": [7, {"sha256": ["x"]}], "effective": []}, {"effective": 3}):
        model = {"repo": REPO, "files": [7, {"path": ["x"]}, {"path": NAME}]}
        log.append({"model": model, "method": "x", "accepted_by": {}, **odd})
        assert home.prepare(f"hf:{REPO}").change is not None


def test_another_license(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    publish(hub, "NVIDIA Nemotron Open Model License\n", b"GGUF 2", license="mit")
    found = update(home, model)
    assert (found.state, found.gate, found.has_other_files) == ("newer", "ask", True)
    assert found.terms.is_changed
    assert "mit" in found.terms.added
    answer = found.as_json()
    assert list(answer).index("license") < list(answer).index("files")
    assert answer["files"][0]["changed"] is True
    assert answer["license"]["before"]["effective"] == ["llama3.2"]


def test_a_new_commit_under_the_same_texts_is_covered(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    publish(hub, weights=b"GGUF 2, a better one")
    found = update(home, model)
    assert (found.state, found.terms.is_changed, found.gate) == ("newer", False, "accepted")
    newer = home.installer.install(
        found.offer, home.installer.clear(found.offer), CancelToken(), no_report
    )
    assert newer.commit != model.commit
    assert newer.record_id == model.record_id
    assert home.installer.clear_installed(newer).record_id == model.record_id
    home.parts.acceptances.revoke(str(model.record_id), AcceptanceForm())
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear_installed(newer)


def test_other_files_of_the_repository_are_not_covered(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, _ = installed(hub, open_at)
    hub.repos[REPO.casefold()].commit([FakeFile("Small-Q8_0.gguf", b"GGUF 8")])
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(home.prepare(f"{REPO}:Q8_0"))


def test_a_text_that_was_never_read_is_not_the_same(hub: LoopbackHub, open_at: OpenHome) -> None:
    hub.add_repo(REPO, {NAME: b"GGUF 1"}, card={"license": "mit"})
    home = open_at(endpoint=hub.endpoint)
    model = home.install(REPO)
    hub.repos[REPO.casefold()].commit([FakeFile(NAME, b"GGUF 2")])
    assert update(home, model).gate == "ask"


def test_a_new_duty_asks_again(hub: LoopbackHub, open_at: OpenHome) -> None:
    """The facts of a license may be known better by then."""
    home, model = installed(hub, open_at)
    publish(hub, weights=b"GGUF 2")
    log = home.parts.acceptances
    (record,) = log.records()
    log.revoke(str(model.record_id), AcceptanceForm())
    shown = [d for d in record["obligations_shown"] if d["id"] != "display_badge"]
    log.append({**record, "obligations_shown": shown})
    assert update(home, model).gate == "ask"


def test_what_is_gone_and_what_was_never_there(hub: LoopbackHub, open_at: OpenHome) -> None:
    home, model = installed(hub, open_at)
    hub.repos[REPO.casefold()].commit([FakeFile("Other-Q8_0.gguf", b"GGUF")])
    with pytest.raises(NotFound):
        update(home, model)
    with pytest.raises(NotFound) as caught:
        update(home, replace(model, repo="local"))
    assert caught.value.what == "update"


def test_the_command_says_the_license_first(
    hub: LoopbackHub, open_at: OpenHome, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    publish(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    assert run_command(["install", REPO, "--accept", "--json"]) == 0
    publish(hub, TERMS.replace("The end.", "Not for companies."), b"GGUF 2")
    capsys.readouterr()
    assert run_command(["update", "Small"]) == 0
    text = capsys.readouterr().out
    assert text.index("+2. Not for companies.") < text.index("commit ") < text.index(NAME)
    assert run_command(["update", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["updates"]
    assert (answer["state"], answer["license"]["changed"]) == ("newer", True)
    assert run_command(["install", f"hf:{REPO}"]) == 3, "asked again"
    text = capsys.readouterr().out
    assert "+2. Not for companies." in text
    assert text.index("not the ones that were accepted on") < text.index("verdict:")
    assert run_command(["license", f"hf:{REPO}", "--json"]) == 0
    change = json.loads(capsys.readouterr().out)["change"]
    assert change["texts"][0]["diff"][-1] == "+2. Not for companies."
    assert run_command(["install", f"hf:{REPO}", "--accept", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["acceptance"]
    assert "not the ones that were accepted on" in said.err
    assert run_command(["license", f"hf:{REPO}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["change"] is None
    hub.repos.clear()
    assert run_command(["update", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)["updates"]
    assert [(a["state"], a["error"]["code"]) for a in answers] == [("unknown", "not_found")] * 2
    assert run_command(["update", "Small", "--json"]) == 4


def text_of(words: str) -> LicenseText:
    from openshelf.licenses.chain import sha256_of

    return LicenseText("x", "https://x", sha256_of(words.encode()), len(words), words)


def terms(*texts: LicenseText, ids: tuple[str, ...] = ("x",)) -> EffectiveLicense:
    return EffectiveLicense(ids, "X", (), (), texts)


def test_texts_side_by_side() -> None:
    old, new = text_of("a\nb\n"), text_of("a\nc\n")
    kept = {old.sha256: old.text}
    found = compare_terms(terms(replace(old, text=None)), terms(new), kept.get)
    assert found.is_changed
    assert found.texts[0].diff == ("--- accepted", "+++ now", "@@ -1,2 +1,2 @@", " a", "-b", "+c")
    unkept = compare_terms(terms(replace(old, text=None)), terms(new), lambda _: None)
    assert unkept.is_changed
    assert unkept.texts[0].diff == ()
    unread = compare_terms(terms(replace(old, sha256="", text=None)), terms(new), kept.get)
    assert not unread.is_changed
    assert compare_terms(terms(old), terms(old), kept.get).is_changed is False
    other = compare_terms(terms(old), terms(ids=("x", "y")), kept.get)
    assert (other.added, other.removed, other.is_changed) == (("y",), (), True)


def test_a_paragraph_is_compared_by_its_sentences() -> None:
    start = "The licensee may use the model. " * 20
    old, new = text_of(f"{start}It is free."), text_of(f"{start}It costs.")
    (text,) = compare_terms(terms(old), terms(new), lambda _: None).texts
    assert text.passages == (Passage(("It is free.",), ("It costs.",), 21),)
    end = "x" * 5000
    (text,) = compare_terms(terms(text_of(f"{end}a")), terms(text_of(f"{end}b")), str).texts
    assert [(p.before[0][-1], p.after[0][-1]) for p in text.passages] == [("a", "b")]


def test_other_line_ends_are_no_other_words() -> None:
    (text,) = compare_terms(terms(text_of("a\nb\n")), terms(text_of("a\r\nb  \r\n\r\n")), str).texts
    assert (text.is_changed, text.is_compared, text.passages) == (True, True, ())


def test_an_endless_text_is_compared_by_its_hash() -> None:
    old, new = text_of("a\n" * 5000), text_of("b\n" * 5000)
    found = compare_terms(terms(old), terms(new), lambda _: None)
    assert (found.is_changed, found.texts[0].diff) == (True, ())
    assert not found.texts[0].is_compared
