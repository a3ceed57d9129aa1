"""Models of other programs: found, told apart, and installed without a byte being copied."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.errors import BadFile, LicenseNotAccepted, NeedsReview, PolicyBlocked
from openshelf.library.foreign import Origin, describe, describe_file, find_models, usual_places
from openshelf.library.install import COPY, LINK, REFERENCE
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.paths import apache_license_text
from openshelf.policy.organization import Policy, Rules
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import Home, OpenHome
from tests.library.foreign import gguf, hf_cache, ollama, put

APACHE = apache_license_text().read_text(encoding="utf-8")


def install(home: Home, path: Path, placing: str = REFERENCE) -> InstalledModel:
    offer = replace(home.prepare(str(path)), placing=placing)
    clearance = home.installer.accept(offer, AcceptanceForm("Ada"))
    return home.installer.install(offer, clearance, CancelToken(), no_report)


def test_hub_cache_of_another_program(tmp_path: Path) -> None:
    path = hf_cache(tmp_path / "hub", "ada/Small-GGUF", "UD/Small-Q4_K_M.gguf", gguf("a"), APACHE)
    (found,) = find_models(tmp_path / "hub")
    assert (found.origin, found.repo) == (Origin.HF_CACHE, "ada/Small-GGUF")
    assert (found.paths, found.names) == ((path,), ("UD/Small-Q4_K_M.gguf",))
    assert found.license_text == APACHE


def test_lm_studio_says_the_repository_by_its_folders(tmp_path: Path) -> None:
    root = tmp_path / ".lmstudio" / "models"
    put(root / "ada" / "Small-GGUF" / "Small-Q4_K_M.gguf", gguf("a"))
    put(root / "ada" / "Small-GGUF" / "mmproj-Small.gguf", gguf("eyes"))
    put(root / "loose.gguf", gguf("b"))
    loose, small = find_models(root)
    assert (loose.origin, loose.repo) == (Origin.LM_STUDIO, "")
    assert (small.origin, small.repo) == (Origin.LM_STUDIO, "ada/Small-GGUF")


def test_ollama_names_come_from_its_manifests(tmp_path: Path) -> None:
    root = tmp_path / "models"
    blob = ollama(root, "registry.ollama.ai/library/llama3.2/3b", gguf("a"), "terms", "policy")
    hub = ollama(root, "hf.co/ada/Small-GGUF/Q4_K_M", gguf("b"))
    found = {model.paths[0]: model for model in find_models(root)}
    assert set(found) == {blob, hub}, "licenses and parameters are no models"
    assert found[blob].names == ("llama3.2-3b.gguf",)
    assert (found[blob].repo, found[blob].license_text) == ("", "terms")
    assert (found[hub].names, found[hub].repo) == (("Small-GGUF-Q4_K_M.gguf",), "ada/Small-GGUF")


def test_jan_names_a_file_by_its_folder_and_knows_others(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "downloads" / "Other-Q8_0.gguf", gguf("other"))
    models = tmp_path / "Jan" / "data" / "llamacpp" / "models"
    put(models / "ada" / "Small-Q4_K_M" / "model.gguf", gguf("a"))
    put(models / "ada" / "Small-Q4_K_M" / "model.yml", "model_path: llamacpp/models/x\nname: S\n")
    put(models / "mine" / "model.yml", f'name: mine\nmodel_path: "{elsewhere}"\n')
    put(models / "gone" / "model.yml", f"model_path: {tmp_path}/gone.gguf\n")
    other, small = find_models(tmp_path / "Jan")
    assert (small.origin, small.names) == (Origin.JAN, ("Small-Q4_K_M.gguf",))
    assert (other.origin, other.paths) == (Origin.FOLDER, (elsewhere,))


def test_gpt4all_and_llama_cpp(tmp_path: Path) -> None:
    flat = put(tmp_path / "nomic.ai" / "GPT4All" / "Small.Q4_0.gguf", gguf("a"))
    put(flat.parent / "LICENSE", "of something else")
    found = describe(flat)
    assert (found.origin, found.license_text) == (Origin.GPT4ALL, None)

    cache = tmp_path / "llama.cpp"
    by_address = put(cache / "ada_Small-GGUF_Small-Q4_0.gguf", gguf("b"))
    url = "https://huggingface.co/ada/Small-GGUF/resolve/main/Small-Q4_0.gguf"
    put(cache / f"{by_address.name}.json", json.dumps({"url": url, "etag": "x"}))
    by_manifest = put(cache / "eve_Big-GGUF_sub_Big-Q4_0.gguf", gguf("c"))
    told = {"ggufFile": {"rfilename": "sub/Big-Q4_0.gguf"}}
    put(cache / "manifest=eve=Big-GGUF=Q4_0.json", json.dumps(told))
    found_there = {model.paths[0]: (model.origin, model.repo) for model in find_models(cache)}
    assert found_there == {
        by_address: (Origin.LLAMA_CPP, "ada/Small-GGUF"),
        by_manifest: (Origin.LLAMA_CPP, "eve/Big-GGUF"),
    }


def test_a_license_beside_several_models_is_nobodys(tmp_path: Path) -> None:
    alone = put(tmp_path / "one" / "a.gguf", gguf("a"))
    put(tmp_path / "one" / "LICENSE.txt", APACHE)
    assert describe(alone).license_text == APACHE
    put(tmp_path / "one" / "b.gguf", gguf("b"))
    assert describe(alone).license_text is None


def test_shards_are_one_model_and_links_in_circles_end(tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path / f"Big-0000{number}-of-00002.gguf", gguf(str(number)))
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.gguf").symlink_to(tmp_path / "nowhere")
    (found,) = find_models(tmp_path)
    assert [path.name[4:9] for path in found.paths] == ["00001", "00002"]


@pytest.mark.parametrize(
    "manifest",
    [
        "", "[]", "null", '{"layers": 7}', '{"layers": [7, {"mediaType": 1, "digest": []}]}',
        '{"layers": [{"mediaType": "application/vnd.ollama.image.model",'
        ' "digest": "sha256:../../../etc/passwd"}]}',
        "[" * 100_000,
    ],
    ids=range(7),
)  # fmt: skip
def test_manifests_that_make_no_sense(tmp_path: Path, manifest: str) -> None:
    blob = ollama(tmp_path, "h/o/m/t", gguf("a"))
    put(tmp_path / "manifests" / "h" / "o" / "m" / "t", manifest)
    (found,) = find_models(tmp_path)
    assert found.paths == (blob,)
    assert found.names == (f"{blob.name[7:19]}.gguf",)


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    ollama(tmp_path / "o", "hf.co/ada/x\u202egnp.exe/con", gguf("a"))
    (found,) = find_models(tmp_path / "o")
    assert found.repo == ""
    assert found.names[0].isascii()
    hf_cache(tmp_path / "h", "..--..", "a.gguf", gguf("b"))
    assert [model.repo for model in find_models(tmp_path / "h")] == [""]


def test_usual_places_are_those_that_exist(tmp_path: Path) -> None:
    put(tmp_path / "x" / "blobs" / "y", "")
    (tmp_path / ".lmstudio" / "models").mkdir(parents=True)
    places = usual_places({"OLLAMA_MODELS": str(tmp_path / "x")}, tmp_path)
    mine = [(origin, path) for origin, path in places if tmp_path in path.parents]
    assert mine == [
        (Origin.LM_STUDIO, tmp_path / ".lmstudio" / "models"),
        (Origin.OLLAMA, tmp_path / "x"),
    ]


def test_each_goes_through_the_gate_with_what_is_told(open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(offline=True)
    silent = put(tmp_path / "silent" / "silent.gguf", gguf("silent"))
    own_words = put(tmp_path / "own" / "own.gguf", gguf("own", "mit"))
    beside = hf_cache(tmp_path / "hub", "ada/Small-GGUF", "s-Q4_0.gguf", gguf("b"), APACHE)
    texts = ollama(tmp_path / "o", "registry.ollama.ai/library/small/1b", gguf("c"), APACHE)
    licenses = {
        path: home.prepare(str(path)).decision.license
        for path in (silent, own_words, beside, texts)
    }
    assert licenses[silent].effective == ("none",)
    assert licenses[own_words].effective == ("mit",)
    assert licenses[beside].effective == ("apache-2.0",)
    assert "unresolved_base" in licenses[beside].flags, "its repository could not be asked"
    assert licenses[texts].effective == ("apache-2.0",)

    strict = home.under(Policy(rules=Rules(allow_only=("apache-2.0",)), sha256="1" * 64))
    for path, refusal in ((own_words, PolicyBlocked), (silent, (PolicyBlocked, NeedsReview))):
        with pytest.raises(refusal):
            strict.accept(home.prepare(str(path)), AcceptanceForm("Ada"))
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(home.prepare(str(texts)))
    assert home.library.installed() == ()


def test_the_repository_that_a_store_names_is_asked(
    hub: LoopbackHub, open_at: OpenHome, tmp_path: Path
) -> None:
    hub.add_repo("ada/Small-GGUF", {"s.gguf": b"x"}, card={"license": "gemma"})
    home = open_at(endpoint=hub.endpoint)
    folder = tmp_path / ".lmstudio" / "models" / "ada" / "Small-GGUF"
    path = put(folder / "s-Q4_0.gguf", gguf("silent"))
    license = home.prepare(str(path)).decision.license
    assert license.effective == ("gemma",)
    assert [node.repo for node in license.lineage] == ["s-Q4_0.gguf", "ada/Small-GGUF"]


def test_reference_copies_nothing_and_removing_leaves_it(
    open_at: OpenHome, tmp_path: Path, trash: Path
) -> None:
    home = open_at(offline=True)
    blob = ollama(tmp_path / "o", "registry.ollama.ai/library/small/1b", gguf("a"), APACHE)
    model = install(home, blob)
    assert model.id == f"local@{model.first_file.sha256[:8]}:small-1b"
    assert (model.source, model.origin) == ("import", "ollama")
    assert Path(model.first_file.location) == blob
    assert not home.models.exists()
    assert home.library.find(model.id) == model
    assert home.installer.clear_installed(model).record_id == model.record_id
    home.library.remove(model.id)
    assert blob.read_bytes() == gguf("a")
    assert not trash.exists()


def test_link_takes_no_room_and_outlives_the_other_name(open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(offline=True)
    path = hf_cache(tmp_path / "hub", "ada/Small-GGUF", "s-Q4_0.gguf", gguf("a"))
    model = install(home, path, LINK)
    location = Path(model.first_file.location)
    assert home.models in location.parents
    assert location.samefile(path)
    path.resolve().unlink()
    assert location.read_bytes() == gguf("a")
    assert not home.library.find(model.id).missing
    removed = home.library.remove(model.id)
    assert removed.freed_bytes == len(gguf("a"))
    assert [p for p in home.models.rglob("*") if p.is_file()] == []


def test_link_where_none_is_possible_stays_a_reference(
    open_at: OpenHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("another volume")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr("fcntl.ioctl", refuse)
    home = open_at(offline=True)
    path = put(tmp_path / "mine-Q4_0.gguf", gguf("a"))
    model = install(home, path, LINK)
    assert Path(model.first_file.location) == path
    assert [p for p in home.models.rglob("*") if p.is_file()] == []


def test_copy_is_a_file_of_its_own(open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(offline=True)
    path = put(tmp_path / "usb" / "mine-Q4_0.gguf", gguf("a"))
    model = install(home, path, COPY)
    location = Path(model.first_file.location)
    assert not location.samefile(path)
    assert location.stat().st_nlink == 1
    path.unlink()
    assert location.read_bytes() == gguf("a")


def test_a_whole_file_may_be_named_like_a_shard(tmp_path: Path) -> None:
    path = put(tmp_path / "Small-00001-of-00002.gguf", gguf("a"))
    assert len(describe(path).paths) == 2
    found = describe_file(path, is_whole=True)
    assert (found.paths, found.names) == ((path,), (path.name,))
    assert len(describe_file(path, is_whole=False).paths) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "manifests").mkdir()
    names = (f"blobs/sha256-{'a' * 64}", "x-Q4_K_M.gguf", "model.yml", "manifests/m", "LICENSE")
    for name in names:
        os.mkfifo(tmp_path / name)
    assert find_models(tmp_path) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_text_is_refused(open_at: OpenHome, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe-Q4_K_M.gguf")
    put(Path(name), gguf("Small"))
    with pytest.raises(BadFile) as error:
        open_at(offline=True).prepare(name)
    assert "Rename" in wording.error_sentence(error.value).encode().decode()
