"""Sentences for shelf: where a variant runs, by how much it misses, why a family has none."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "shelf_runs_on_gpu": "Runs fully on your GPU at {context_length:tokens} context.",
    "shelf_runs_half_on_gpu": "Half on the GPU, half in RAM.",
    "shelf_runs_split": "{gpu_share:percent} on the GPU, the rest in RAM.",
    "shelf_runs_with_experts_in_ram": "Runs on the GPU at {context_length:tokens} context, with experts in RAM.",
    "shelf_runs_on_cpu": "Runs on the CPU at {context_length:tokens} context.",
    "shelf_also_runs": "The {model} also runs.",
    "shelf_also_runs_at": "The {model} also runs, at about {tokens_per_second} tok/s.",
    "shelf_misses_by": "The smallest usual variant ({quant}) needs {missing_bytes:gib} more than can be used here now.",
    "shelf_memory_unknown": "May run here: how much context memory the architecture {architecture} takes is not known yet; {needed_bytes:gib} at most.",
    "shelf_no_gguf_known": "No GGUF build of {models:list} is known.",
    "shelf_no_size_known": "The size of {models:list} is not known.",
    "shelf_not_in_engine": "llama.cpp has no architecture for {models:list}.",
}
