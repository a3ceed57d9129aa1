"""Sentences for launch recipes: what to know before a command is pasted elsewhere."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "launch_name_vllm": "vLLM",
    "launch_name_sglang": "SGLang",
    "launch_name_ktransformers": "KTransformers",
    "launch_name_mlx": "MLX",
    "launch_name_ollama": "Ollama",
    "launch_name_llama-server": "llama-server",
    "launch_name_llama-rpc": "llama-server over several machines (RPC)",
    "launch_no_original": "The original of {repo} is not known here, and this program wants it. Use llama-server or Ollama.",
    "launch_not_listed": "KTransformers does not list models of the architecture {architecture}.",
    "launch_ollama_shards": "This build comes in {count} parts, which Ollama does not take from the Hub. Use llama-server, or a build in one file.",
    "launch_unknown_names": "The names of this repository or its files hold what no command should hold, so there is no recipe.",
    "launch_newest_commit": "It takes the newest commit of the repository; this program or this recipe cannot pin one.",
    "launch_key": "Replace {word} with a key of your own, and enter the same one for the server in Settings.",
    "launch_key_file": "Write a key of your own into key.txt, and enter the same one for the server in Settings.",
    "launch_no_key": "This program knows no keys: whoever reaches the port can use it. Only in a network that you trust.",
    "launch_fp8_cache": "The context memory is kept as fp8, the nearest that this program has to {kv_type}.",
    "launch_cores": "Replace {word} with about nine tenths of the processor's cores.",
    "launch_kt_fork": "It needs kt-kernel and its own build of SGLang (pip install sglang-kt).",
    "launch_experts_in_ram": "All experts stay in RAM here; raise --kt-num-gpu-experts as far as GPU memory allows.",
    "launch_mac": "For a Mac with Apple silicon: its memory counts as GPU memory.",
    "launch_rpc_open": "The first command belongs on each other machine. It lets everybody in who reaches its port, without a key: never in an open network.",
    "launch_rpc_hosts": "Replace {words:list} with the other machines' names.",
}
