"""The loader is strict: it names the file, the place and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf import wording
from openshelf.catalog.loader import load_catalog, read_family
from openshelf.errors import CorruptCatalog

GOOD = """
id = "fam"
name = "Fam"
publisher = "Somebody"
origin = "FR/US"
reviewed = "2026-11-01"

[[models]]
id = "fam-1b"
name = "Fam 1B"
label = "1B"
hub_repo = "somebody/Fam-1B"
license = "mit"
modalities = ["text"]
capabilities = ["chat"]
openness = { weights = true, training_data = "no", code = "no" }
unverified = []

[models.shape]
architecture = "llama"
n_layers = 2
n_embd = 8
n_head = 2
n_head_kv = 1
head_dim = 4
n_vocab = 100
n_ff = 16
tied_embeddings = true
attention = "full"
completeness = "complete"

[[models.gguf]]
repo = "packager/Fam-1B-GGUF"
evidence = ["seen"]
"""


def write(folder: Path, text: str, name: str = "fam.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_family(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    catalog = load_catalog(tmp_path)
    (family,) = catalog.families
    (model,) = family.models
    assert catalog.as_of == "2026-11-01"
    assert family.origins == ("FR", "US")
    assert family.order == 1000
    assert model.gguf_repos == ("packager/Fam-1B-GGUF",)
    assert model.gguf_evidence == (("seen",),)
    assert model.release_date is None
    assert model.languages.count is None
    # attention 2·8·4·3, feed-forward 3·8·16, two layers, one table of 100·8
    assert model.shape.text_weights == 2 * (192 + 384) + 800
    assert model.file_weights == 1952


def test_a_mixture_counts_all_experts_and_the_router(tmp_path: Path) -> None:
    text = GOOD.replace("n_ff = 16", "n_ff = 16\nn_expert = 4\nn_expert_used = 2\nexpert_n_ff = 2")
    model = read_family(write(tmp_path, text)).models[0]
    assert model.shape.layer_weights == 2 * (192 + 8 * 4 + 4 * 3 * 8 * 2)


def test_keys_of_a_header(tmp_path: Path) -> None:
    keys = """
[models.shape.keys]
"full_attention_interval" = 4
"attention.head_count_kv" = [1, 0]
"attention.sliding_window_pattern" = [true, false]
"rope.freq_base" = 1e6

[[models.gguf]]"""
    text = GOOD.replace("\n[[models.gguf]]", keys).replace("n_ff = 16", "gguf_weights = 1900")
    text = text.replace('attention = "full"', 'attention = "other"')
    shape = read_family(write(tmp_path, text)).models[0].shape
    assert shape.keys == (
        ("attention.head_count_kv", (1, 0)),
        ("attention.sliding_window_pattern", (1, 0)),
        ("full_attention_interval", 4),
        ("rope.freq_base", 1e6),
    )
    assert (shape.is_complete, shape.text_weights) == (True, 1900)
    assert hash(shape)


@pytest.mark.parametrize("value", ['"4"', "[1, 2.5]", "{ window = 4 }", '["a"]'])
def test_what_is_no_key_of_a_header_is_named(tmp_path: Path, value: str) -> None:
    keys = f"\n[models.shape.keys]\nattention = {value}\n\n[[models.gguf]]"
    with pytest.raises(CorruptCatalog) as failure:
        read_family(write(tmp_path, GOOD.replace("\n[[models.gguf]]", keys)))
    assert "models[0].shape.keys.attention is" in failure.value.detail


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('license = "mit"', "", "models[0] lacks license"),
        ('license = "mit"', 'license = ""', "models[0].license is ''"),
        ('license = "mit"', 'licence = "mit"', "'licence' that is not known"),
        ('name = "Fam"', "name = 5", "family.name is 5"),
        ("n_layers = 2", "n_layers = 0", "models[0].shape.n_layers is 0"),
        ("n_layers = 2", "n_layers = true", "models[0].shape.n_layers is True"),
        ("n_layers = 2", "n_layers = 2.5", "positive whole number"),
        ("n_ff = 16", "", "is called complete and lacks a count"),
        ('attention = "full"', 'attention = "half"', "one of full, other"),
        ('modalities = ["text"]', 'modalities = ["text", 1]', "a list of str"),
        ('modalities = ["text"]', 'modalities = "text"', "a list of str"),
        ('evidence = ["seen"]', "", "models[0].gguf[0] lacks evidence"),
        ("code = ", "source = ", "'source' that is not known"),
        ("weights = true", 'weights = "yes"', "models[0].openness.weights"),
        ("[models.shape]", "[models.shape", "line"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(CorruptCatalog) as failure:
        load_catalog(tmp_path)
    assert failure.value.path == "fam.toml"
    assert named in failure.value.detail
    assert "fam.toml" in wording.error_sentence(failure.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "fam.toml").write_bytes(b'id = "\xff"')
    with pytest.raises(CorruptCatalog):
        load_catalog(tmp_path)


def test_an_empty_folder_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(CorruptCatalog):
        load_catalog(tmp_path)


def test_one_repository_belongs_to_one_model(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace('id = "fam"', 'id = "other"'), "other.toml")
    with pytest.raises(CorruptCatalog) as failure:
        load_catalog(tmp_path)
    assert "somebody/fam-1b occurs twice" in failure.value.detail


def test_order_then_name_and_the_oldest_review(tmp_path: Path) -> None:
    for index, (name, order, day) in enumerate([("b", 5, "02"), ("a", 5, "03"), ("c", 1, "04")]):
        text = GOOD.replace('id = "fam"', f'id = "{name}"').replace('"Fam"', f'"{name}"')
        text = text.replace("2026-11-01", f"2026-11-{day}").replace("Fam-1B", f"Fam-{index}")
        write(tmp_path, f"order = {order}\n{text}", f"{name}.toml")
    catalog = load_catalog(tmp_path)
    assert [family.name for family in catalog.families] == ["c", "a", "b"]
    assert catalog.as_of == "2026-11-02"
