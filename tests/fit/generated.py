"""Files of every architecture that llama.cpp knows: keys of ours, tensors of the engine's own.

llama.cpp makes all tensors of a model that has none (`llama_model_init_from_user`); they are then
written as a header, less those that only add a scale or a bias to another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.fit.answers import Job, ask
from tests.fit.recipes import Bare, typed, with_offsets
from tests.gguf.builder import BOOL, F32, STRING, U32, Build

Keys = Mapping[str, Any]
_HOLE_BYTES = 1 << 33
_EXTRAS = [
    re.compile(r"\.(scale|input_scale|in_s|bias)$|rope_f|^cls"),
    re.compile(r"\.(scale|input_scale|in_s)$|\.(?!exp_probs)\w+\.bias$|rope_f|^cls"),
    re.compile(r"\.(scale|input_scale|in_s)$|(?<!_norm)\.bias$|rope_f|^cls"),
    re.compile(r"\.(scale|input_scale|in_s)$|rope_f|^cls"),
    re.compile(r"\.(scale|input_scale|in_s)$|^cls"),
    re.compile(r"^cls"),
]
"""What is left out of a header, the less the more llama.cpp insists."""
LAYERS = 8

BASE: Keys = {
    "block_count": LAYERS,
    "context_length": 131072,
    "embedding_length": 2048,
    "feed_forward_length": 6144,
    "vocab_size": 64_000,
    "attention.head_count": 16,
    "attention.head_count_kv": 4,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "attention.layer_norm_epsilon": 1e-6,
}
MOE: Keys = {
    "expert_count": 16,
    "expert_used_count": 4,
    "expert_feed_forward_length": 768,
}
SHARED: Keys = {**MOE, "expert_shared_count": 1, "expert_shared_feed_forward_length": 768}
SPACE: Keys = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 4096,
    "ssm.state_size": 128,
    "ssm.time_step_rank": 32,
    "ssm.group_count": 2,
}
LATENT: Keys = {
    "attention.head_count_kv": 1,
    "attention.q_lora_rank": 768,
    "attention.kv_lora_rank": 512,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
    "rope.dimension_count": 64,
}
INDEXER: Keys = {
    "attention.indexer.head_count": 64,
    "attention.indexer.key_length": 128,
    "attention.indexer.top_k": 2048,
}
ZEROS = tuple(4 if layer % 4 == 3 else 0 for layer in range(LAYERS))
SECTIONS: Keys = {"rope.dimension_sections": (16, 24, 24, 0)}
WINDOW: Keys = {"attention.sliding_window": 1024}
FLAGS: Keys = {**WINDOW, "attention.sliding_window_pattern": (True, True, True, False) * 2}
WKV: Keys = {
    "wkv.head_size": 64,
    "token_shift_count": 2,
    "time_mix_extra_dim": 64,
    "attention.head_count": 32,
    "attention.head_count_kv": 32,
}
STREAMS: Keys = {
    "hyper_connection.count": 4,
    "hyper_connection.sinkhorn_iterations": 2,
    "hyper_connection.epsilon": 1e-6,
}
DENSE_LEAD: Keys = {"leading_dense_block_count": 1}

PLAIN = [
    "llama",
    "baichuan",
    "gpt2",
    "gptneox",
    "mpt",
    "starcoder",
    "refact",
    "bloom",
    "stablelm",
    "qwen",
    "qwen2",
    "qwen3",
    "phi2",
    "codeshell",
    "orion",
    "internlm2",
    "gemma",
    "starcoder2",
    "xverse",
    "command-r",
    "olmo",
    "chatglm",
    "glm4",
    "bitnet",
    "jais",
    "jais2",
    "nemotron",
    "exaone",
    "granite",
    "chameleon",
    "arcee",
    "ernie4_5",
    "hunyuan-dense",
    "smollm3",
    "seed_oss",
    "pangu-embedded",
    "mistral3",
    "llama-embed",
    "maincoder",
    "cogvlm",
    "talkie",
    "nanbeige",
    "minicpm",
    "plamo",
    "deci",
    "phi3",
    "falcon",
    "apertus",
]
KINDS: dict[str, Keys] = {
    **{name: {} for name in PLAIN},
    "qwen2vl": SECTIONS,
    "qwen3vl": SECTIONS,
    "hunyuan_vl": SECTIONS,
    "paddleocr": SECTIONS,
    "qwen3vlmoe": {**MOE, **SECTIONS},
    **dict.fromkeys(
        "qwen3moe olmoe phimoe granitemoe dbrx grok minimax-m2 grovemoe arctic".split(),  # noqa: SIM905
        MOE,
    ),
    **dict.fromkeys(["qwen2moe", "bailingmoe", "hunyuan-moe"], SHARED),
    **{
        name: {**SHARED, **DENSE_LEAD, "expert_gating_func": 2}
        for name in ["deepseek", "dots1", "glm4moe", "bailingmoe2", "ernie4_5-moe", "hy_v3"]
    },
    "gemma2": WINDOW,
    "gemma3": WINDOW,
    "gemma3n": {**WINDOW, "block_count": 24, "embedding_length_per_layer_input": 256},
    "gemma4": {**FLAGS, "attention.key_length": 512, "attention.value_length": 512,
               "attention.key_length_swa": 256, "attention.value_length_swa": 256,
               "attention.shared_kv_layers": 0, "rope.dimension_count_swa": 256,
               "embedding_length_per_layer_input": 256},
    "gpt-oss": {**MOE, **WINDOW},
    "cohere2": WINDOW,
    "cohere2moe": {**SHARED, **WINDOW, **DENSE_LEAD, "expert_gating_func": 2},
    "llama4": {**MOE, "interleave_moe_layer_step": 1},
    "exaone4": {},
    "exaone-moe": {**SHARED, **WINDOW, **DENSE_LEAD},
    "olmo2": {},
    "smallthinker": {**MOE, **WINDOW},
    "afmoe": {**SHARED, **DENSE_LEAD, **WINDOW, "expert_gating_func": 2},
    "mellum": {**MOE, **FLAGS},
    "plamo3": WINDOW,
    "laguna": {**SHARED, **DENSE_LEAD, **WINDOW},
    "mimo2": {**MOE, **FLAGS},
    "step35": {**SHARED, **DENSE_LEAD, **FLAGS},
    "granite_swa": {**FLAGS},
    "maple": {**MOE, **FLAGS},
    "spark2_5": {**MOE, **FLAGS},
    "muse-glimmer": {**FLAGS},
    "deepseek2": {**SHARED, **LATENT, **DENSE_LEAD},
    "mistral4": {**SHARED, **LATENT, **DENSE_LEAD},
    "deepseek2-ocr": {**SHARED, **DENSE_LEAD},
    "deepseek32": {**SHARED, **LATENT, **DENSE_LEAD, **INDEXER},
    "glm-dsa": {**SHARED, **LATENT, **DENSE_LEAD, **INDEXER},
    "plm": {**LATENT, "attention.head_count_kv": 16, "attention.key_length": 192,
            "attention.value_length": 128},
    "minicpm3": {**LATENT, "attention.head_count_kv": 16, "attention.key_length": 96,
                 "attention.value_length": 64, "rope.dimension_count": 32},
    "mamba": {**SPACE, "attention.head_count": 0, "attention.head_count_kv": 0,
              "feed_forward_length": 0, "ssm.state_size": 16, "ssm.group_count": 0},
    "mamba2": {**SPACE, "attention.head_count": 0, "attention.head_count_kv": 0,
               "feed_forward_length": 0},
    "jamba": {**SPACE, **MOE, "attention.head_count_kv": ZEROS, "ssm.state_size": 16,
              "ssm.group_count": 0, "ssm.time_step_rank": 128},
    "falcon-h1": SPACE,
    "plamo2": {**SPACE, "attention.head_count_kv": ZEROS, "ssm.group_count": 0,
               "ssm.state_size": 64},
    "granitehybrid": {**SPACE, "attention.head_count_kv": ZEROS},
    "lfm2": {"shortconv.l_cache": 3, "attention.head_count_kv": ZEROS},
    "lfm2moe": {**MOE, **DENSE_LEAD, "shortconv.l_cache": 3, "expert_gating_func": 2,
                "attention.head_count_kv": ZEROS},
    "nemotron_h": {**SPACE, "attention.head_count_kv": (0, 0, 0, 4) * 2,
                   "feed_forward_length": (0, 6144, 0, 0) * 2},
    "nemotron_h_moe": {**SPACE, **SHARED, "attention.head_count_kv": (0, 0, 0, 4) * 2,
                       "feed_forward_length": (0, 768, 0, 0) * 2},
    "qwen3next": {**SPACE, **SHARED, "ssm.group_count": 16, "attention.key_length": 256,
                  "attention.value_length": 256, "rope.dimension_count": 64},
    "qwen35": {**SPACE, "ssm.group_count": 16, "rope.dimension_sections": (11, 11, 10, 0),
               "rope.dimension_count": 64, "attention.key_length": 256,
               "attention.value_length": 256},
    "qwen35moe": {**SPACE, **SHARED, "ssm.group_count": 16, "rope.dimension_count": 64,
                  "rope.dimension_sections": (11, 11, 10, 0), "attention.key_length": 256,
                  "attention.value_length": 256},
    "kimi-linear": {**SHARED, **LATENT, **DENSE_LEAD, "kda.head_dim": 128, "ssm.conv_kernel": 4,
                    "attention.head_count_kv": tuple(h // 4 for h in ZEROS)},
    "rwkv6": {**WKV, "time_decay_extra_dim": 64, "rescale_every_n_layers": 6},
    "rwkv6qwen2": {**WKV, "time_decay_extra_dim": 64, "token_shift_count": 1},
    "rwkv7": {**WKV, "attention.decay_lora_rank": 64, "attention.iclr_lora_rank": 64,
              "attention.value_residual_mix_lora_rank": 32, "attention.gate_lora_rank": 128},
    "arwkv7": {**WKV, "attention.decay_lora_rank": 64, "attention.iclr_lora_rank": 64,
               "attention.value_residual_mix_lora_rank": 32, "attention.gate_lora_rank": 128,
               "token_shift_count": 1},
    "openelm": {"attention.head_count": (12, 12, 16, 16, 16, 20, 20, 24),
                "attention.head_count_kv": (3, 3, 4, 4, 4, 5, 5, 6),
                "attention.key_length": 64, "attention.value_length": 64,
                "feed_forward_length": (1536, 2048, 2560, 3072, 3584, 4096, 4608, 5120)},
    "deepseek4": {**SHARED, **INDEXER, **WINDOW, "attention.head_count_kv": 1,
                  "attention.key_length": 128, "attention.value_length": 128,
                  "attention.q_lora_rank": 512, "rope.dimension_count": 64,
                  "attention.output_group_count": 8, "attention.output_lora_rank": 64,
                  "attention.compress_ratios": (0, 0, 4, 128) * 2, **STREAMS,
                  "attention.compress_rope_freq_base": 160000.0, "hash_layer_count": 0,
                  "swiglu_clamp_exp": 10.0, "expert_weights_scale": 1.0, "expert_gating_func": 4,
                  "expert_weights_norm": True},
    "qwen4exp": {**SPACE, **SHARED, **INDEXER, **STREAMS, "ssm.group_count": 16,
                 "rope.dimension_sections": (16, 16, 16, 16), "hyper_connection.low_rank": 8,
                 "attention.compress_ratios": (4,) * LAYERS, "attention.indexer.block_size": 4,
                 "attention.indexer.local_blocks": 1},
    "minimax-m3": {**SHARED, **DENSE_LEAD, **INDEXER, "attention.indexer.head_count": 4,
                   "rope.dimension_count": 64, "attention.indexer.block_size": 64,
                   "attention.indexer.local_blocks": 1, "expert_gating_func": 2},
    "minimax-01": {**MOE, "residual_scale": 3.5, "full_attention_interval": 4},
    "bailingmoe3": {**SHARED, **LATENT, **DENSE_LEAD, "kda.head_dim": 128, "ssm.conv_kernel": 4,
                    "attention.head_count_kv": tuple(h // 4 for h in ZEROS),
                    "kda.gate_lower_bound": -5.0, "kda.safe_gate": True, "expert_gating_func": 2},
    "kimi-k3": {**SHARED, **LATENT, **DENSE_LEAD, "kda.head_dim": 128, "ssm.conv_kernel": 4,
                "attention.head_count_kv": tuple(h // 4 for h in ZEROS), "attn_res.block_size": 12,
                "kda.gate_lower_bound": -5.0, "activation.situ_beta": 4.0,
                "activation.situ_linear_beta": 25.0, "expert_gating_func": 2,
                "expert_latent_length": 768},
    "glm5-next": {**SHARED, **LATENT, **DENSE_LEAD, **INDEXER, **STREAMS, "kda.head_dim": 128,
                  "ssm.conv_kernel": 4, "rope.dimension_count": 0, "attention.key_length": 512,
                  "attention.head_count_kv": tuple(h // 4 for h in ZEROS),
                  "kda.gate_lower_bound": -5.0, "expert_gating_func": 2},
    "dots3note": {**SHARED, **LATENT, **DENSE_LEAD, **INDEXER, **FLAGS,
                  "attention.kv_lora_rank_swa": 512, "attention.key_length_swa": 576,
                  "attention.value_length_swa": 512, "attention.key_length_mla_swa": 192,
                  "attention.value_length_mla_swa": 128, "rope.freq_base_swa": 10000.0,
                  "attention.indexer.types": (0, 0, 0, 1) * 2, "expert_gating_func": 2},
    "hy_v4": {**SHARED, **LATENT, **DENSE_LEAD, **INDEXER, **STREAMS,
              "hyper_connection.magnitude": 2.0, "swiglu_clamp_exp": 10.0,
              "expert_weights_scale": 1.0, "attention.indexer.types": (1, 0) * 4,
              "expert_weights_norm": True, "expert_gating_func": 2},
    "hrm_text": {"block_count": 12, "hrm.layers_per_stack": 2, "hrm.h_cycles": 2,
                 "hrm.l_cycles": 2},
    "graniteswitch": {"adapters.count": 2},
    "qwen3tts": SECTIONS,
    "gemma4-assistant": {}, "eagle3": {}, "dflash": {}, "pockettts": {}, "wavtokenizer-dec": {},
    "gptj": {}, "clip": {},
    **{n: {"attention.head_count_kv": 16} for n in
       ["bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3"]},
    "modern-bert": WINDOW, "eurobert": {}, "gemma-embedding": WINDOW,
    "t5": {"attention.relative_buckets_count": 32, "attention.head_count_kv": 16},
    "t5encoder": {"attention.relative_buckets_count": 32, "attention.head_count_kv": 16},
    "dream": {}, "llada": {}, "llada-moe": MOE, "rnd1": MOE,
}  # fmt: skip
KEYS: dict[str, Keys] = {
    "gemma4": {"rope.freq_base_swa": 10000.0},
    "command-r": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.0625},
    "cohere2moe": {"logit_scale": 0.0625},
    "granite": {"logit_scale": 8.0},
    "granitemoe": {"logit_scale": 8.0},
    "falcon": {"attention.head_count_kv": 1, "feed_forward_length": 8192},
    "mpt": {"attention.max_alibi_bias": 8.0},
    "gptneox": {"attention.head_count_kv": 16},
    "olmoe": {"attention.head_count_kv": 16},
    "minimax-m2": {"expert_gating_func": 2},
    "dots1": {"attention.head_count_kv": 16},
    "smallthinker": {"expert_gating_func": 1},
    "deepseek2-ocr": {"attention.head_count_kv": 16, "rope.dimension_count": 128},
    "plm": {"rope.dimension_count": 64, "attention.key_length": 192},
    "talkie": {"logit_scale": 8.0},
    "dbrx": {"attention.clamp_kqv": 8.0},
    "grovemoe": {"expert_group_scale": 0.05, "experts_per_group": 2},
    "ernie4_5-moe": {"interleave_moe_layer_step": 1},
    "exaone-moe": {"expert_gating_func": 2},
    "deepseek32": {"expert_gating_func": 2},
    "kimi-linear": {"expert_gating_func": 2},
    "granite_swa": {"logit_scale": 8.0},
    "graniteswitch": {"logit_scale": 8.0},
    "maple": {"swiglu_clamp_exp": 7.0},
    "muse-glimmer": {"logit_scale": 8.0},
    "gpt2": {"attention.head_count_kv": 16},
    "phi3": {"rope.scaling.original_context_length": 4096},
}


def written_keys(
    architecture: str, changes: Keys = MappingProxyType({})
) -> dict[str, tuple[int, Any]]:
    own = {**BASE, **KINDS[architecture], **KEYS.get(architecture, {}), **changes}
    keys: dict[str, tuple[int, Any]] = {
        "general.architecture": (STRING, architecture),
        "tokenizer.ggml.model": (STRING, "no_vocab"),
    }
    keys |= {f"{architecture}.{name}": typed(content) for name, content in own.items()}
    if architecture == "gptneox":
        keys["gptneox.use_parallel_residual"] = (BOOL, True)
    if architecture == "apertus":
        keys |= {f"xielu.{name}": (F32, 1.0) for name in ("alpha_n", "alpha_p", "beta", "eps")}
    if "bert" in architecture:
        keys["tokenizer.ggml.token_type_count"] = (U32, 2)
    return keys


def write_generated(
    models: Mapping[Path, tuple[str, Keys]], *, is_tied: bool = False
) -> dict[Path, str]:
    """Writes each model's header with a hole behind it; returns what the engine said where it
    did not want the keys."""
    return write_with_tensors(
        {path: (written_keys(*model), is_tied) for path, model in models.items()}
    )


def write_with_tensors(
    models: Mapping[Path, tuple[dict[str, tuple[int, Any]], bool]],
) -> dict[Path, str]:
    """The same for all metadata of a file, and whether its output layer is tied."""
    for path, (keys, _) in models.items():
        path.write_bytes(Build(keys=keys, tensors=[]).bytes())
    answers = ask([Job(path, (), keys_only=True) for path in models])
    made = dict(zip(models, answers, strict=True))
    refused = {path: made[path]["error"] for path in models if "tensors" not in made[path]}
    left = [path for path in models if path not in refused]
    for extra in _EXTRAS:
        for path in left:
            keys, is_tied = models[path]
            names = {
                name: tuple(shape)
                for name, shape in made[path]["tensors"]
                if not extra.search(name) and not (is_tied and name == "output.weight")
            }
            _write(path, keys, names)
        told = ask([Job(path, ()) for path in left])
        errors = {p: a["error"] for p, a in zip(left, told, strict=True) if "error" in a}
        left = list(errors)
    return refused | errors


def _write(path: Path, keys: dict[str, tuple[int, Any]], shapes: dict[str, Any]) -> None:
    laid = with_offsets(shapes)
    with path.open("wb") as file:
        file.write(Bare(keys=keys, tensors=laid).bytes())
        file.truncate((laid[-1].offset or 0) + _HOLE_BYTES)
