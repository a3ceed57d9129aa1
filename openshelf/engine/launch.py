"""Commands that start a model on a larger machine: vLLM, SGLang, KTransformers, MLX, Ollama, and
llama-server on one machine or over several.

Pure: facts in, words of commands out, each word quoted where it is shown. None was run by us. Flags
as read in November 2026: llama.cpp's in the engine's own source (0c1e57098), the MLX server's and
KTransformers' in their repositories (mlx-lm 0130d3b, ktransformers 82aefb8), vLLM's and SGLang's in
parts of their documentation, some of it older, Ollama's in its page on context length.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from openshelf.reasons import Reason


class LaunchEngine(enum.StrEnum):
    VLLM = "vllm"
    SGLANG = "sglang"
    KTRANSFORMERS = "ktransformers"
    MLX = "mlx"
    OLLAMA = "ollama"
    LLAMA_SERVER = "llama-server"
    LLAMA_RPC = "llama-rpc"


KEY, HOSTS, CORES = "YOUR_KEY", ("HOST_2", "HOST_3"), "CPU_CORES"
"""Words that a person replaces."""
_KT_METHODS = {
    "deepseek2": "FP8", "minimax-m2": "FP8", "kimi-linear": "RAWINT4", "glm4moe": "BF16",
    "qwen3moe": "BF16", "qwen3next": "BF16",
}  # fmt: skip
"""Architectures of the models that ktransformers lists, and the precision they were released in."""
_PORTS = {
    LaunchEngine.VLLM: 8000, LaunchEngine.SGLANG: 30000, LaunchEngine.KTRANSFORMERS: 30000,
    LaunchEngine.MLX: 8080, LaunchEngine.OLLAMA: 11434, LaunchEngine.LLAMA_SERVER: 8080,
    LaunchEngine.LLAMA_RPC: 8080,
}  # fmt: skip
_RPC_PORT = 50052
_ALL = "0.0.0.0"  # noqa: S104  # of the other machine: this one is to reach it
_MLX_BITS = (3, 4, 6, 8)


@dataclass(frozen=True)
class LaunchFacts:
    """A build, and its original: the publisher's repository with the weights as released ("" where
    it is not known). `files` are all shards in order, none where the Hub was not asked; `bits` are
    those of a weight in the build."""

    repo: str
    commit: str
    files: tuple[str, ...]
    quant: str | None
    original: str
    architecture: str
    n_experts: int
    context_length: int
    kv_type: str
    bits: float | None = None

    @property
    def name(self) -> str:
        return (self.original or self.repo).rpartition("/")[2]


@dataclass(frozen=True)
class LaunchNeeds:
    """Bytes by our own fit: on all GPUs together, on each of `gpus`, and of RAM."""

    gpus: int
    gpu_bytes: int
    each_gpu_bytes: int
    ram_bytes: int = 0


@dataclass(frozen=True)
class LaunchRecipe:
    """`commands` are words, not lines; `address` is where it listens, HOST to be replaced. `notes`
    are for wording/launch.py; without commands they say why there are none."""

    engine: LaunchEngine
    commands: tuple[tuple[str, ...], ...] = ()
    needs: LaunchNeeds | None = None
    notes: tuple[Reason, ...] = field(default=())

    @property
    def address(self) -> str:
        return f"http://HOST:{_PORTS[self.engine]}/v1"

    @property
    def lines(self) -> tuple[str, ...]:
        """For a POSIX shell, each command on a line of its own."""
        return tuple(shlex.join(words) for words in self.commands)


def recipe_for(engine: LaunchEngine, facts: LaunchFacts, needs: LaunchNeeds | None) -> LaunchRecipe:
    """How `facts` is started with `engine` on as many GPUs as `needs` says."""
    why = _why_not(engine, facts)
    if why is not None:
        return LaunchRecipe(engine, notes=(why,))
    gpus = needs.gpus if needs is not None else 1
    commands, notes = _MAKERS[engine](facts, gpus)
    return LaunchRecipe(engine, commands, needs, notes)


def _why_not(engine: LaunchEngine, facts: LaunchFacts) -> Reason | None:
    needs_original = engine in (
        LaunchEngine.VLLM, LaunchEngine.SGLANG, LaunchEngine.KTRANSFORMERS, LaunchEngine.MLX
    )  # fmt: skip
    if needs_original and not facts.original:
        return Reason("launch_no_original", {"repo": facts.repo})
    if engine is LaunchEngine.KTRANSFORMERS and facts.architecture not in _KT_METHODS:
        return Reason("launch_not_listed", {"architecture": facts.architecture})
    if engine is LaunchEngine.OLLAMA and len(facts.files) > 1:
        return Reason("launch_ollama_shards", {"count": len(facts.files)})
    return None


Made = tuple[tuple[tuple[str, ...], ...], tuple[Reason, ...]]
_NEWEST = Reason("launch_newest_commit")
_KEY_NOTE = Reason("launch_key", {"word": KEY})


def _vllm(facts: LaunchFacts, gpus: int) -> Made:
    words = [
        "vllm", "serve", facts.original, "--max-model-len", str(facts.context_length),
        "--tensor-parallel-size", str(gpus),
    ]  # fmt: skip
    notes = [_NEWEST, _KEY_NOTE]
    if facts.kv_type != "f16":
        words += ["--kv-cache-dtype", "fp8"]
        notes.append(Reason("launch_fp8_cache", {"kv_type": facts.kv_type}))
    words += ["--host", _ALL, "--port", "8000", "--api-key", KEY]
    return (tuple(words),), tuple(notes)


def _sglang(facts: LaunchFacts, gpus: int) -> Made:
    words = [
        "python", "-m", "sglang.launch_server", "--model-path", facts.original,
        "--context-length", str(facts.context_length), "--tp-size", str(gpus),
    ]  # fmt: skip
    notes = [_NEWEST, _KEY_NOTE]
    if facts.kv_type != "f16":
        words += ["--kv-cache-dtype", "fp8_e5m2"]
        notes.append(Reason("launch_fp8_cache", {"kv_type": facts.kv_type}))
    words += ["--host", _ALL, "--port", "30000", "--api-key", KEY]
    return (tuple(words),), tuple(notes)


def _ktransformers(facts: LaunchFacts, gpus: int) -> Made:
    folder = f"./{facts.name}"
    start = (
        "python", "-m", "sglang.launch_server", "--model", folder, "--kt-weight-path", folder,
        "--kt-method", _KT_METHODS[facts.architecture], "--kt-cpuinfer", CORES,
        "--kt-threadpool-count", "1", "--kt-num-gpu-experts", "0",
        "--context-length", str(facts.context_length),
        "--max-total-tokens", str(facts.context_length), "--tensor-parallel-size", str(gpus),
        "--served-model-name", facts.name, "--host", _ALL, "--port", "30000",
        "--api-key", KEY,
    )  # fmt: skip
    notes = (
        _NEWEST, _KEY_NOTE, Reason("launch_cores", {"word": CORES}),
        Reason("launch_kt_fork"), Reason("launch_experts_in_ram"),
    )  # fmt: skip
    return (("hf", "download", facts.original, "--local-dir", folder), start), notes


def _mlx(facts: LaunchFacts, gpus: int) -> Made:
    folder = f"./{facts.name}-mlx"
    wanted = facts.bits or 4.0
    bits = min(_MLX_BITS, key=lambda known: abs(known - wanted))
    convert = (
        "mlx_lm.convert", "--hf-path", facts.original, "--mlx-path", folder,
        "-q", "--q-bits", str(bits),
    )  # fmt: skip
    serve = ("mlx_lm.server", "--model", folder, "--host", _ALL, "--port", "8080")
    return (convert, serve), (_NEWEST, Reason("launch_mac"), Reason("launch_no_key"))


def _ollama(facts: LaunchFacts, gpus: int) -> Made:
    settings = [f"OLLAMA_HOST={_ALL}:11434", f"OLLAMA_CONTEXT_LENGTH={facts.context_length}"]
    if facts.kv_type != "f16":
        settings += ["OLLAMA_FLASH_ATTENTION=1", f"OLLAMA_KV_CACHE_TYPE={facts.kv_type}"]
    name = f"hf.co/{facts.repo}"
    name = f"{name}:{facts.quant}" if facts.quant else name
    notes = [_NEWEST, Reason("launch_no_key")]
    return (("env", *settings, "ollama", "serve"), ("ollama", "pull", name)), tuple(notes)


def _llama_server(facts: LaunchFacts, gpus: int) -> Made:
    commands = (*_download(facts), tuple(_serve(facts)))
    return commands, (Reason("launch_key_file"), *_pinned(facts))


def _llama_rpc(facts: LaunchFacts, gpus: int) -> Made:
    other = ("ggml-rpc-server", "--host", _ALL, "--port", str(_RPC_PORT), "--cache")
    servers = ",".join(f"{host}:{_RPC_PORT}" for host in HOSTS)
    notes = (
        Reason("launch_rpc_open"), Reason("launch_rpc_hosts", {"words": list(HOSTS)}),
        Reason("launch_key_file"), *_pinned(facts),
    )  # fmt: skip
    return (other, *_download(facts), (*_serve(facts), "--rpc", servers)), notes


def _pinned(facts: LaunchFacts) -> tuple[Reason, ...]:
    return () if facts.commit and facts.files else (_NEWEST,)


def _folder(facts: LaunchFacts) -> str:
    return f"./{facts.repo.rpartition('/')[2]}"


def _download(facts: LaunchFacts) -> tuple[tuple[str, ...], ...]:
    """Nothing where llama-server looks the file up by itself."""
    if not facts.files:
        return ()
    revision = ("--revision", facts.commit) if facts.commit else ()
    return (("hf", "download", facts.repo, *facts.files, *revision, "--local-dir", _folder(facts)),)


def _serve(facts: LaunchFacts) -> list[str]:
    if facts.files:
        model = ["--model", f"{_folder(facts)}/{facts.files[0]}"]
    else:
        model = ["--hf-repo", f"{facts.repo}:{facts.quant}" if facts.quant else facts.repo]
    return [
        "llama-server", *model,
        "--alias", facts.name, "--ctx-size", str(facts.context_length), "--parallel", "1",
        "--gpu-layers", "all", "--flash-attn", "auto" if facts.kv_type == "f16" else "on",
        "--cache-type-k", facts.kv_type, "--cache-type-v", facts.kv_type,
        "--host", _ALL, "--port", "8080", "--api-key-file", "./key.txt",
    ]  # fmt: skip


_MAKERS: dict[LaunchEngine, Callable[[LaunchFacts, int], Made]] = {
    LaunchEngine.VLLM: _vllm,
    LaunchEngine.SGLANG: _sglang,
    LaunchEngine.KTRANSFORMERS: _ktransformers,
    LaunchEngine.MLX: _mlx,
    LaunchEngine.OLLAMA: _ollama,
    LaunchEngine.LLAMA_SERVER: _llama_server,
    LaunchEngine.LLAMA_RPC: _llama_rpc,
}
