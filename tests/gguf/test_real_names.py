"""Names as packagers really give them, by the habit that each shows."""

from __future__ import annotations

import pytest

from openshelf.gguf.names import is_dynamic, parse_name, plain_label

MODELS = {
    # the usual labels, with dots, dashes and underscores before them
    "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf": "Q4_K_M",
    "Llama-3.3-70B-Instruct.Q4_K_M.gguf": "Q4_K_M",
    "mistral-7b-instruct-v0.2.Q5_K_S.gguf": "Q5_K_S",
    "mistralai_Mistral-Small-3.2-24B-Instruct-2506-IQ4_XS.gguf": "IQ4_XS",
    "Qwen_Qwen3.6-35B-A3B-Q3_K_XL.gguf": "Q3_K_XL",
    "Qwen2.5-0.5B-Instruct-Q2_K_L.gguf": "Q2_K_L",
    "qwen2.5-7b-instruct-q6_k.gguf": "Q6_K",
    "ggml-model-q4_0.gguf": "Q4_0",
    "ggml-model-Q4_K_M.gguf": "Q4_K_M",
    "OLMo-2-0425-1B-Instruct-Q8_0.gguf": "Q8_0",
    "granite-4.0-h-tiny-Q5_1.gguf": "Q5_1",
    "phi-4-Q4_1.gguf": "Q4_1",
    "smollm2-135m-instruct-iq3_m.gguf": "IQ3_M",
    "LFM2.5-1.2B-Instruct-Q4_K_S.GGUF": "Q4_K_S",
    "Llama-3-8B-Instruct-32k-v0.1.Q5_K_M.gguf": "Q5_K_M",
    "Foo_v1.2_q5_k_m.gguf": "Q5_K_M",
    "localai-functioncall-phi-4-v0.3-q4_k_m.gguf": "Q4_K_M",
    "Foo-Q6_K_L.gguf": "Q6_K_L",
    "Foo-Q8_K_P.gguf": "Q8_K_P",
    "Qwen3-8B-Q4_0_8_8.gguf": "Q4_0_8_8",
    "Foo 7B (Q4_K_M).gguf": "Q4_K_M",
    # dashes and dots inside the label
    "Foo-7B-q4-k-m.gguf": "Q4_K_M",
    "foo.Q5.K.S.gguf": "Q5_K_S",
    "foo-iq4-xs.gguf": "IQ4_XS",
    "foo-q8-0.gguf": "Q8_0",
    # i1: an importance matrix, no part of the label
    "Acolyte-22B.i1-IQ1_S.gguf": "IQ1_S",
    "Huihui-gemma-4-12B-it-abliterated.i1-Q4_K_M.gguf": "Q4_K_M",
    "foo.i1-IQ3_XXS.gguf": "IQ3_XXS",
    "Foo-7B-imat-Q4_K_M.gguf": "Q4_K_M",
    "Foo-Q5_K_M-imat.gguf": "Q5_K_M",
    # dynamic recipes
    "Qwen3.8-27B-UD-Q4_K_XL.gguf": "UD-Q4_K_XL",
    "gpt-oss-20b-UD-Q8_K_XL.gguf": "UD-Q8_K_XL",
    "DeepSeek-R1-UD-IQ1_S.gguf": "UD-IQ1_S",
    "DeepSeek-V3.1-UD-TQ1_0.gguf": "UD-TQ1_0",
    "gemma-3-27b-it-qat-UD-Q4_K_XL.gguf": "UD-Q4_K_XL",
    "foo-ud-iq2_m.gguf": "UD-IQ2_M",
    "foo_UD_Q2_K_XL.gguf": "UD-Q2_K_XL",
    "Qwen3.8-27B-AD-Q4_K_M.gguf": "AD-Q4_K_M",
    "Qwen3.8-27B-AD-IQ4_XS-IQ3_S.gguf": "AD-IQ4_XS-IQ3_S",
    "Qwen3.8-27B-AD-Q6_K-Q5_K.gguf": "AD-Q6_K-Q5_K",
    "Ling-3.0-flash-AD-IQ1_M.gguf": "AD-IQ1_M",
    "Cloud_AD.gguf": None,
    # formats of their own
    "gpt-oss-120b-mxfp4.gguf": "MXFP4",
    "GLM-4.7-Flash-MXFP4_MOE.gguf": "MXFP4_MOE",
    "Foo-30B-A3B-MXFP4_MOE4.gguf": "MXFP4_MOE4",
    "Qwen3.6-27B-NVFP4-MTP-GGUF.gguf": "NVFP4",
    "Bonsai-8B-Q1_0_g128.gguf": "Q1_0",
    "TriLM_3.9B-TQ2_0.gguf": "TQ2_0",
    "ggml-model-i2_s.gguf": "I2_S",
    "DeepSeek-V3-0324-IQ4_KS.gguf": "IQ4_KS",
    "Kimi-K2-smol-IQ2_KS.gguf": "IQ2_KS",
    "Foo-IQ4_KSS.gguf": "IQ4_KSS",
    "DeepSeek-R1-0528-IQ3_K_R4.gguf": "IQ3_K_R4",
    # not quantized
    "phi-4-bf16.gguf": "BF16",
    "gemma-7b-FP16.gguf": "F16",
    "granite-4.2-350m-f32.gguf": "F32",
    "gpt-oss-20b-F16.gguf": "F16",
    # trained for a quantization: the checkpoint's name is not the file's type
    "gemma-3-27b-it-q4_0.gguf": "Q4_0",
    "gemma-4-12B-it-qat-q4_0-unquantized-BF16.gguf": "BF16",
    "gemma-3-4b-it-qat-q4_0-unquantized.Q8_0.gguf": "Q8_0",
    "gemma-3-4b-it-qat-q4_0-unquantized.gguf": None,
    # more than one label
    "Foo-BF16-Q5_K_S.gguf": "Q5_K_S",
    "Foo-Q8_0-F16-Merged.gguf": "Q8_0",
    "Foo.f16.q5.gguf": None,
    "Model-Q3-7B-F16.gguf": "F16",
    "Foo-Q4_K_M-GGUF.gguf": "Q4_K_M",
    # whole models whose names have a trap in them
    "hermes-3-llama-3.1-8b-lorablated.Q4_K_M.gguf": "Q4_K_M",
    "Foo-lora-merged-Q4_K_M.gguf": "Q4_K_M",
    "param-agent-qlora-v2-Q8_0.gguf": "Q8_0",
    "mortgagefv-assistant-q8_0.gguf": "Q8_0",
    "Gemma-4-12B-legal-assistant-Q4_K_M.gguf": "Q4_K_M",
    "alamios_Mistral-Small-3.1-DRAFT-0.5B-Q4_K_M.gguf": "Q4_K_M",
    "gemmable-4-12b-Q4_K_M-mtp.gguf": "Q4_K_M",
    "Qwen3.8-27B-MTP-Q4_K_M.gguf": "Q4_K_M",
    "Foo-NEO-IMATRIX-MAX-Q4_K_M.gguf": "Q4_K_M",
    "EVA-Qwen2.5-32B-v0.2-Q4_K_M.gguf": "Q4_K_M",
    # nothing that names a type
    "KAT-Coder-V2.5-Dev-APEX-I-Balanced.gguf": None,
    "Qwen3.8-27B-Ridge-3.7bpw.gguf": None,
    "muse-glimmer-30B-kquant-dynamic.gguf": None,
    "vibevoice-asr-bitnet-embed-q8.gguf": None,
    "DeepSeek-V4-Flash-IQ2XXS-w2Q2K-AProjQ8-SExpQ8-OutQ8-chat-v2.gguf": None,
    "DeepSeek-V4-Pro-IQ2XXS-w2Q2K-AProjQ8-SExpQ8-OutQ8-Instruct-imatrix.gguf": None,
    "model.gguf": None,
    "Qwen2.5-14B-Instruct-GPTQ-Int4.gguf": None,
    "Llama-4-Scout-17B-16E-Instruct.gguf": None,
}

OTHERS = {
    "mmproj-Qwen3.8-27B-BF16.gguf": ("BF16", "mmproj"),
    "moondream2-mmproj-f16.gguf": ("F16", "mmproj"),
    "Qwopus3.5-9B-Coder-MTP-mmproj.gguf": (None, "mmproj"),
    "mmproj-model-f16.gguf": ("F16", "mmproj"),
    "llava-v1.6-mm-proj-f16.gguf": ("F16", "mmproj"),
    "mmproj-kquant.gguf": (None, "mmproj"),
    "mtp-gemma-4-12B-it.gguf": (None, "draft"),
    "mtp-Qwen3.8-Flash-Next-shared-Q4_K_M-head-iq4_xs.gguf": ("IQ4_XS", "draft"),
    "MTP-Q4K-Q8_0-F32.gguf": (None, "draft"),
    "dflash-kquant.gguf": (None, "draft"),
    "eagle3-gpt-oss-120b-BF16.gguf": ("BF16", "draft"),
    "draft-Qwen3-0.6B-Q8_0.gguf": ("Q8_0", "draft"),
    "gemma-4-26B-A4B-it-assistant-Q8_0.gguf": ("Q8_0", "draft"),
    "gemma-4-12b-qat-it-assistant-Q8_0.gguf": ("Q8_0", "draft"),
    "google_gemma-4-E2B-it-assistant-bf16.gguf": ("BF16", "draft"),
    "gemma-4-12B-it-qat-q4_0-unquantized-assistant.gguf": (None, "draft"),
    "imatrix_unsloth.dat": (None, "imatrix"),
    "imatrix_unsloth.gguf_file": (None, "imatrix"),
    "imatrix.gguf": (None, "imatrix"),
    "Qwen_Qwen3-8B-imatrix.gguf": (None, "imatrix"),
    "gemma-3-4b.imatrix": (None, "imatrix"),
    "Foo.imatrix.dat": (None, "imatrix"),
    "Foo.imatrix.gguf": (None, "imatrix"),
    "Foo-Q6_K.gguf.part1of2": ("Q6_K", "part"),
    "Foo-Q8_0.gguf-split-a": ("Q8_0", "part"),
    "Foo.Q8_0.gguf.part-00001-of-00002": ("Q8_0", "part"),
    "Hermes-2-Pro-Llama-3-8B-F16-LoRA.gguf": ("F16", "adapter"),
    "LoRA-Qwen2.5-3B-Instruct-abliterated-f16.gguf": ("F16", "adapter"),
    "my-sql-lora-f16.gguf": ("F16", "adapter"),
    "ggml-adapter-model.gguf": (None, "adapter"),
    "ggml-vocab-llama-bpe.gguf": (None, "vocab"),
    "Qwen3-8B-vocab.gguf": (None, "vocab"),
}

FOLDERS = {
    "UD-Q4_K_XL/Kimi-K2.5-UD-Q4_K_XL-00003-of-00013.gguf": ("UD-Q4_K_XL", (3, 13)),
    "Q4_K_M/GLM-5-Q4_K_M-00001-of-00009.gguf": ("Q4_K_M", (1, 9)),
    "IQ2_XXS/model-00002-of-00004.gguf": ("IQ2_XXS", (2, 4)),
    "DeepSeek-V3-0324-UD-Q2_K_XL/shard-00001-of-00005.gguf": ("UD-Q2_K_XL", (1, 5)),
    "gguf/BF16/Mistral-Large-3-00001-of-00027.gguf": ("BF16", (1, 27)),
    "nemotron-3.5-Q8_0.v2-00001-of-00002.gguf": ("Q8_0", (1, 2)),
    "Q8_0\\win-00001-of-00002.gguf": ("Q8_0", (1, 2)),
    "UD-IQ1_M/sub/deep/part.gguf": ("UD-IQ1_M", None),
    "Q4_K_M/Foo-Q5_K_M.gguf": ("Q5_K_M", None),
}


@pytest.mark.parametrize(("path", "quant"), MODELS.items())
def test_models(path: str, quant: str | None) -> None:
    name = parse_name(path)
    assert (name.quant, name.kind, name.shard) == (quant, "model", None)


@pytest.mark.parametrize(("path", "expected"), OTHERS.items())
def test_what_is_no_whole_model(path: str, expected: tuple[str | None, str]) -> None:
    name = parse_name(path)
    assert (name.quant, name.kind) == expected


@pytest.mark.parametrize(("path", "expected"), FOLDERS.items())
def test_folders_and_shards(path: str, expected: tuple[str | None, tuple[int, int] | None]) -> None:
    name = parse_name(path)
    assert (name.quant, name.shard, name.kind) == (*expected, "model")


def test_a_dynamic_label_and_its_type() -> None:
    assert is_dynamic("UD-Q4_K_XL")
    assert is_dynamic("AD-IQ3_S")
    assert not is_dynamic("Q4_K_M")
    assert plain_label("UD-Q4_K_XL") == "Q4_K_XL"
    assert plain_label("MXFP4") == "MXFP4"
