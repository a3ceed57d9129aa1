from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.gguf.constants import types_by_name
from openshelf.gguf.names import parse_name

NAMES = json.loads((Path(__file__).parents[1] / "data" / "quant_names.json").read_text("utf-8"))


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row["name"])
def test_known_names(row: dict[str, object]) -> None:
    name = parse_name(str(row["name"]))
    shard = list(name.shard) if name.shard else None
    assert (name.quant, shard, name.kind) == (row["quant"], row["shard"], row["kind"])


@pytest.mark.parametrize(
    ("path", "quant", "shard", "kind"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1", None, "model"),
        ("Model-Q3-7B-Q4_K_M.gguf", "Q4_K_M", None, "model"),
        ("BF16/model-00001-of-00004.gguf", "BF16", (1, 4), "model"),
        ("UD-IQ2_M/DeepSeek-R1-00002-of-00005.gguf", "UD-IQ2_M", (2, 5), "model"),
        ("Q8_0/UD-Q2_K_XL/weights.gguf", "UD-Q2_K_XL", None, "model"),
        ("qwen2.5-7b-instruct-q4_k_m-00001-of-00002.gguf", "Q4_K_M", (1, 2), "model"),
        ("x-IQ4_NL_XL.gguf", "IQ4_NL_XL", None, "model"),
        ("x-Q8_K_P.gguf", "Q8_K_P", None, "model"),
        ("x-TQ1_0.gguf", "TQ1_0", None, "model"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4", None, "model"),
        ("llama-fp32.gguf", "F32", None, "model"),
        ("Qwen3-8B-BF16-Q5_K_S.gguf", "Q5_K_S", None, "model"),
        ("foo-Q4_K_M-mtp.gguf", "Q4_K_M", None, "model"),
        ("eagle3-foo-Q8_0.gguf", "Q8_0", None, "draft"),
        ("some.mmproj-Q8_0.gguf", "Q8_0", None, "mmproj"),
        ("Model-Q6_K.gguf.part1of2", "Q6_K", None, "part"),
        ("Model-Q6_K.gguf-split-a", "Q6_K", None, "part"),
        ("Model.imatrix", None, None, "imatrix"),
        ("Model-imatrix.gguf", None, None, "imatrix"),
        ("Model.imatrix.gguf_file", None, None, "imatrix"),
        ("Model-imatrix-Q4_K_M.gguf", "Q4_K_M", None, "model"),
        ("Model-7B-XS.gguf", None, None, "model"),
        ("model-q5.gguf", None, None, "model"),
        ("model-Q2_g64.gguf", None, None, "model"),
        ("IQ2XXS-w2Q2K-AProjQ8-OutQ8-chat.gguf", None, None, "model"),
        ("MTP-Q4K-Q8_0-F32.gguf", None, None, "draft"),
        ("model-00003-of-00002-Q8_0.gguf", "Q8_0", None, "model"),
        ("", None, None, "model"),
    ],
)
def test_unseen_names(
    path: str, quant: str | None, shard: tuple[int, int] | None, kind: str
) -> None:
    name = parse_name(path)
    assert (name.quant, name.shard, name.kind) == (quant, shard, kind)


def test_shards_of_one_model_share_their_stem() -> None:
    stems = {parse_name(f"a/M-1.5-Q8_0-0000{n}-of-00003.gguf").stem for n in (1, 2, 3)}
    assert stems == {"M-1.5-Q8_0"}


@given(st.text())
def test_never_raises_and_never_invents(path: str) -> None:
    name = parse_name(path)
    if name.quant is not None:
        told = re.sub(r"[-._]", "", path.upper()).replace("FP16", "F16").replace("FP32", "F32")
        assert re.sub(r"[-_]", "", name.quant) in told


@given(
    # A stem such as Q1K names a mixture, of which the rest is one part only; UD is part of a label.
    stem=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}(-[0-9]{1,2}B)?", fullmatch=True).filter(
        lambda stem: re.search(r"q[1-9]|^ud$", stem, re.IGNORECASE) is None
    ),
    quant=st.sampled_from(["Q4_K_M", "IQ3_XXS", "Q8_0", "UD-Q5_K_XL", "MXFP4", "BF16"]),
    delimiter=st.sampled_from("-._"),
)
def test_a_quantization_is_found_after_any_delimiter(stem: str, quant: str, delimiter: str) -> None:
    assert parse_name(f"{stem}{delimiter}{quant.lower()}.gguf").quant == quant


def test_a_word_that_ends_in_ud_is_no_label() -> None:
    assert parse_name("Cloud-Q4_K_M.gguf").quant == "Q4_K_M"
    assert parse_name("Cloud-UD-Q4_K_M.gguf").quant == "UD-Q4_K_M"


def test_types_are_those_of_ggml() -> None:
    assert types_by_name()["Q4_K"][1:] == (256, 144)
    assert types_by_name()["Q8_0"][1:] == (32, 34)
