"""llama.cpp's log lines to reasons."""

from __future__ import annotations

import pytest

from openshelf import wording
from openshelf.chat.endings import death_detail
from openshelf.engine.protocol import DeviceBytes, Refused
from openshelf.engine.refusals import cause_of_death, error_of
from openshelf.engine.worker_failures import SCHEMA_HUNG, allocated, classify, laid_out, pools
from openshelf.errors import CorruptModel, EngineDied, OutOfMemory, UnsupportedArchitecture

MIB = 1 << 20
LAST = "llama_model_load_from_file_impl: failed to load model"

CASES = [
    (
        "llama_model_load: error loading model: unknown model architecture: 'xyz'",
        "unsupported_architecture",
        "xyz",
    ),
    (
        "llama_model_load: error loading model: tensor 'token_embd.weight' data is not within the"
        " file bounds, model is corrupted or incomplete",
        "corrupt",
        "tensor 'token_embd.weight' data is not within the file bounds, model is corrupted or"
        " incomplete",
    ),
    (
        "gguf_init_from_reader: invalid magic characters: '<htm', expected 'GGUF'",
        "corrupt",
        "invalid magic characters: '<htm', expected 'GGUF'",
    ),
    (
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 43948.12 MB)",
        "out_of_memory",
        "insufficient memory (attempted to allocate 43948.12 MB)",
    ),
    (
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0: cudaMalloc"
        " failed: out of memory",
        "out_of_memory",
        "allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory",
    ),
    (
        "gguf_init_from_file: failed to open GGUF file '/m.gguf' (No such file or directory)",
        "unreadable",
        "failed to open GGUF file '/m.gguf' (No such file or directory)",
    ),
    (
        "ggml_cuda_init: CUDA driver version is insufficient for CUDA runtime version",
        "driver",
        "CUDA driver version is insufficient for CUDA runtime version",
    ),
    ("llama_init_from_model: quantized V cache was requested", "bad_plan", None),
    ("ggml_gallocr_reserve_n_impl: failed to reserve graph buffers", "out_of_memory", None),
    ("ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", "out_of_memory", None),
    ("llama_model_load: error loading model: std::bad_alloc", "out_of_memory", "std::bad_alloc"),
    ("CUDA error: an illegal memory access was encountered", "driver", None),
    ("ggml_cuda_init: failed to initialize CUDA: unknown error", "driver", None),
    ("ggml_metal_library_init: error: failed to create library", "driver", None),
    ("ggml_vulkan: vkCreateInstance: ErrorIncompatibleDriver", "driver", None),
    (
        "llama_init_from_model: failed to initialize the context: V cache quantization requires"
        " flash_attn",
        "bad_plan",
        None,
    ),
    (
        "llama_model_load_from_file_impl: no backends are loaded. hint: use ggml_backend_load() or"
        " ggml_backend_load_all() to load a backend before calling this function",
        "no_backend",
        None,
    ),
    (
        "llama_model_load: error loading model: CLIP cannot be used as main model, use it with"
        " --mmproj instead",
        "not_a_chat_model",
        None,
    ),
    ("llama_model_load: error loading model: read error: Input/output error", "unreadable", None),
    (
        "llama_model_load: error loading model: error loading model hyperparameters: key "
        "llama.block_count has wrong array length; expected 1, got 2",
        "corrupt",
        None,
    ),
    (
        "llama_model_load: error loading model: error loading model vocabulary: Byte token"
        " for <0x00> not found",
        "corrupt",
        None,
    ),
    (
        "llama_model_load: error loading model: invalid split count, given: 1 splits, but"
        " expected 2",
        "corrupt",
        None,
    ),
    ("something: nobody has seen before", "load_failed", None),
]


@pytest.mark.parametrize(("line", "why", "detail"), CASES)
def test_each_cause_is_found(line: str, why: str, detail: str | None) -> None:
    found, text = classify([line, LAST])
    assert found == why
    if detail is not None:
        assert text == detail
    error = error_of(Refused(1, found, text), "/m.gguf")
    sentence = wording.error_sentence(error)
    assert "?" not in sentence
    assert sentence.endswith((".", ")", text))


@pytest.mark.parametrize(
    ("signal", "tail", "why"),
    [
        ("SIGILL", "", "wrong_cpu"),
        ("ILLEGAL_INSTRUCTION", "", "wrong_cpu"),
        ("SIGABRT", "x\nCUDA error: out of memory\n  current device: 0", "out_of_memory"),
        ("SIGABRT", "ggml-cuda.cu:98: CUDA error\nCUDA error: unspecified failure", "driver"),
        ("SIGABRT", "GGML_ASSERT(n_layer > 0) failed", "gave_up"),
        ("ABORT", "", "gave_up"),
        ("SIGBUS", "", "file_lost"),
        ("", f"Fatal\n{SCHEMA_HUNG}\n", "schema_hung"),
        ("SIGSEGV", "", ""),
        ("SIGKILL", "CUDA error: out of memory", ""),
        ("", "", ""),
    ],
)
def test_the_last_words_of_a_worker_tell_why_it_died(signal: str, tail: str, why: str) -> None:
    assert cause_of_death(signal, tail) == why
    death = EngineDied(exit_status=-6, signal=signal, during="chat", tail=tail, why=why)
    sentence = wording.error_sentence(death)
    assert "{" not in sentence
    assert sentence != wording.error_sentence(EngineDied()) or not why
    said = death_detail(death, loading=False)
    assert said["code"] in wording.TEMPLATES
    assert said["code"] == death_detail(death, loading=True)["code"] or not why


def test_no_lines_at_all() -> None:
    assert classify([]) == ("load_failed", "")


def test_error_classes() -> None:
    assert isinstance(error_of(Refused(1, "out_of_memory"), "p"), OutOfMemory)
    assert isinstance(
        error_of(Refused(1, "unsupported_architecture"), "p"), UnsupportedArchitecture
    )
    bad_header = error_of(Refused(1, "bad_header", "no_magic", "4 bytes"), "p")
    assert isinstance(bad_header, CorruptModel)
    assert (bad_header.why, bad_header.detail) == ("no_magic", "4 bytes")


def test_the_log_of_a_split_load() -> None:
    lines = [
        "load_tensors:          CPU model buffer size =   281.81 MiB",
        "load_tensors:        CUDA0 model buffer size =  4403.49 MiB",
        "llama_context:  CUDA_Host  output buffer size =     0.49 MiB",
        "llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB",
        "llama_kv_cache: size =  512.00 MiB (  4096 cells,  32 layers)",
        "llama_memory_recurrent:        CPU RS buffer size =    10.00 MiB",
        "sched_reserve:      CUDA0 compute buffer size =   100.00 MiB",
        "sched_reserve:      CUDA0 compute buffer size =   124.50 MiB",
        "sched_reserve:  CUDA_Host compute buffer size =    20.01 MiB",
        "sched_reserve:        CPU compute buffer size =     1.00 MiB",
    ]
    host, gpu = allocated(lines, ["CUDA0"])
    assert gpu == DeviceBytes("CUDA0", _mib(4403.49), 512 * MIB, _mib(124.5))
    assert host == DeviceBytes("CPU", _mib(281.81), 10 * MIB, _mib(21.01))
    summed = pools((host, gpu), ["CUDA0"])
    assert summed == {
        "ram": _mib(281.81) + 10 * MIB + _mib(21.01),
        "gpu:0": _mib(4403.49) + 512 * MIB + _mib(124.5),
    }
    assert pools([DeviceBytes("Vulkan1", 5, 0, 0)], ["Vulkan0", "Vulkan1"]) == {"gpu:1": 5}


def test_a_mapped_range_is_no_size_of_weights() -> None:
    """The log tells where the mapped part begins and ends, with all that lies between."""
    lines = [
        "load_tensors:   CPU_REPACK model buffer size =  3204.00 MiB",
        "load_tensors:   CPU_Mapped model buffer size =  4685.30 MiB",
        "load_tensors:   MTL0_Mapped model buffer size =  4403.49 MiB",
        "load_tensors:        CUDA1 model buffer size =     5.00 MiB",
    ]
    weights = {d.device: d.weights_bytes for d in allocated(lines, ["MTL0", "CUDA1"])}
    assert weights == {"CPU": None, "MTL0": None, "CUDA1": 5 * MIB}


def _mib(size: float) -> int:
    return round(size * MIB)


def test_the_log_of_a_dry_run() -> None:
    lines = [
        "load_tensors:        CUDA0 model buffer size =     0.00 MiB",
        "llama_kv_cache:      CUDA0 KV buffer size =     0.00 MiB",
        "llama_kv_cache: size =  512.00 MiB (  4096 cells,  32 layers,  1/1 seqs), K (f16)",
        "llama_memory_recurrent: size =   10.50 MiB (     1 cells,  32 layers,  1 seqs)",
        "sched_reserve:      CUDA0 compute buffer size =   258.50 MiB",
        "sched_reserve:      CUDA0 compute buffer size =   124.50 MiB",
        "sched_reserve:      CUDA1 compute buffer size =    60.25 MiB",
        "sched_reserve:  CUDA_Host compute buffer size =    20.50 MiB",
        "sched_reserve:        CPU compute buffer size =     1.50 MiB",
    ]
    devices, caches = laid_out(lines, ["CUDA0", "CUDA1"])
    assert caches == 522.5 * MIB
    assert devices == (
        DeviceBytes("CPU", None, None, 22 * MIB),
        DeviceBytes("CUDA0", None, None, round(124.5 * MIB)),
        DeviceBytes("CUDA1", None, None, round(60.25 * MIB)),
    )
    metal, _ = laid_out(["x: MTL0_Private compute buffer size = 1.00 MiB"], ["MTL0"])
    assert metal[1] == DeviceBytes("MTL0", None, None, MIB)


def test_without_a_file_nothing_is_said_of_one() -> None:
    assert cause_of_death("SIGABRT", "", about_file=False) == ""
    assert cause_of_death("SIGBUS", "", about_file=False) == ""
