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
    "shelf_embeddings": "For search, not for chat: it turns text into vectors ({models:list}).",
    "shelf_not_for_chat": "Not made to answer in a chat: {models:list}.",
    "shelf_no_size_known": "The size of {models:list} is not known.",
    # what a search found
    "search_hub_offline": "Offline: only the catalog was searched.",
    "search_hub_network": "The Hub did not answer: only the catalog was searched.",
    "search_hub_rate_limited": "The Hub asks to wait {seconds} seconds: only the catalog was searched.",
    "search_packaged": "Packaged by {owner}, {count:,} downloads.",
    "search_not_reviewed": "Found on the Hub and not reviewed: {repo}, {count:,} downloads.",
    "shelf_new_not_reviewed": "New on the Hub, and reviewed by nobody: {models:list}. Open it to see its builds, its size and its license.",
    "shelf_nothing_left": "No family of the catalog is left by these words.",
    # how old the catalog is
    "refresh_offline": "Offline: the Hub was not asked for new models.",
    "refresh_failed": "{host} did not tell what is new; what was known before is shown.",
    "refresh_waiting": "{host} asks to wait {wait_seconds:duration} before it is asked for new models again.",
    "refresh_smaller_list": "The Hub lists fewer models of {account} than before; the earlier list stays for a week.",
    "refresh_smaller_catalog": "The catalog at the address in Settings has fewer models ({came}) than its last copy ({kept}), so that copy stays in use.",
    "refresh_bad_catalog": "What {address} answered is no catalog ({detail}), so the last good copy stays in use.",
    # all builds of one model
    "models_hub_offline": "Offline: sizes and builds are those to expect, and not the Hub's own listing.",
    "models_hub_network": "The Hub did not answer: sizes and builds are those to expect, and not its own listing.",
    "models_hub_rate_limited": "The Hub asks to wait: until then, sizes and builds are those to expect.",
    "models_repo_not_found": "{repo} is not on the Hub any more.",
    "models_repo_gated": "{repo} can be seen only by people whom its publisher let in.",
    "models_more_packagers": "{count} more packagers on the Hub have builds of it, which fewer people take.",
    "models_other_names": "{count} repositories on the Hub name it as their base and are called something else: they are left out.",
    "models_header_offline": "Offline: no file's header could be read, so its memory is not known yet.",
    "models_header_network": "The Hub did not answer: no file's header could be read, so its memory is not known yet.",
    "models_header_rate_limited": "The Hub asks to wait before a file's header can be read; until then its memory is not known.",
    "models_header_gated": "Its files are closed until the publisher lets you in, so its memory is not known yet.",
    "shelf_engine_lacks": "Not yet in this engine: {engine} does not know the architecture of {models:list}.",
    "shelf_not_in_engine": "Not yet in this engine: as far as the catalog knows, llama.cpp has no architecture for {models:list}.",
    "shelf_engine_not_asked": "The engine could not be asked, so that it can load this is the catalog's word.",
}
