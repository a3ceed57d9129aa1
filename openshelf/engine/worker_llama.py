"""llama.cpp through ctypes: load a plan to the letter, tokenize, list devices.

The binding's high-level `Llama` turns flash attention off, reserves logits for the whole batch
and allocates by the training context, so the parameters are built here.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp.llama_cpp as lib
from llama_cpp._ctypes_extensions import load_shared_library

from openshelf.engine.protocol import ChatMessage, Device, DeviceBytes, Plan
from openshelf.engine.worker_failures import Refusal, classify, pools
from openshelf.engine.worker_isolation import default_threads, resident_bytes
from openshelf.engine.worker_memory import memory_of
from openshelf.engine.worker_selftest import extra_buffers_work

_DEBUG, _INFO, _WARN, _ERROR, _CONTINUED = 1, 2, 3, 4, 5
_TYPES = {
    name: getattr(lib, f"GGML_TYPE_{name.upper()}")
    for name in ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
    if hasattr(lib, f"GGML_TYPE_{name.upper()}")
}
_FLASH_ATTENTION = {
    "auto": lib.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_DEVICE_TYPES = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}
_EXPERTS = "ffn_(up|down|gate|gate_up)_(ch|)exps"


class Log:
    """Keeps llama.cpp's last lines; warnings also go to stderr, where a death leaves them."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.lines: deque[str] = deque(maxlen=400)
        self.errors: deque[str] = deque(maxlen=20)
        self._write = write
        self.is_quiet = False
        """Nothing goes to stderr: failures are expected now."""
        self.callback = lib.llama_log_callback(self._take)
        lib.llama_log_set(self.callback, None)

    def _take(self, level: int, text: bytes, user_data: object) -> None:
        if level in (_DEBUG, _CONTINUED):
            return
        line = text.decode("utf-8", "replace").rstrip()
        self.lines.append(line)
        if level >= _WARN and not self.is_quiet:
            self._write(f"{line}\n")
        if level == _ERROR:
            self.errors.append(line)

    def clear(self) -> None:
        self.lines.clear()
        self.errors.clear()

    def refusal(self) -> Refusal:
        """The reason for a failure that just happened."""
        why, detail = classify(list(self.errors))
        return Refusal(why, detail, "\n".join(list(self.lines)[-15:]))


class Devices:
    """ggml's devices. The library lies beside libllama, and its names are not in the binding."""

    def __init__(self) -> None:
        folder = lib._base_path
        self._registry = load_shared_library("ggml", folder)
        self._base = load_shared_library("ggml-base", folder)
        self._registry.ggml_backend_dev_count.restype = ctypes.c_size_t
        self._registry.ggml_backend_dev_get.restype = ctypes.c_void_p
        self._registry.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
        for name, result in (("name", ctypes.c_char_p), ("description", ctypes.c_char_p)):
            function = getattr(self._base, f"ggml_backend_dev_{name}")
            function.restype, function.argtypes = result, [ctypes.c_void_p]
        self._base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p] * 3
        self._base.ggml_backend_dev_memory.restype = None

    def load_backends(self) -> None:
        """A build may keep its backends in libraries of their own, which nobody loads for us."""
        load = getattr(self._registry, "ggml_backend_load_all_from_path", None)
        if load is not None and not self._registry.ggml_backend_dev_count():
            load(str(lib._base_path).encode())

    def list(self) -> tuple[Device, ...]:
        found = []
        for index in range(self._registry.ggml_backend_dev_count()):
            device = self._registry.ggml_backend_dev_get(index)
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            self._base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
            found.append(
                Device(
                    name=_text(self._base.ggml_backend_dev_name(device)),
                    description=_text(self._base.ggml_backend_dev_description(device)),
                    type=_DEVICE_TYPES.get(self._base.ggml_backend_dev_type(device), "other"),
                    total_bytes=total.value,
                    free_bytes=free.value,
                )
            )
        return tuple(found)

    def pointers(self, names: Sequence[str]) -> tuple[int, ...]:
        """The devices of these names, in their order. Raises Refusal for one that is not there."""
        found = {}
        for index in range(self._registry.ggml_backend_dev_count()):
            device = self._registry.ggml_backend_dev_get(index)
            found[_text(self._base.ggml_backend_dev_name(device))] = device
        for name in names:
            if name not in found:
                raise Refusal("bad_plan", f"no device {name}")
        return tuple(found[name] for name in names)

    def cpu_buffer_type(self) -> Any:
        self._base.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
        return self._base.ggml_backend_cpu_buffer_type()

    def version(self) -> str:
        """Of the engine's own, as `llama.cpp 0.5.0-dev (0c1e570)`."""
        self._base.ggml_commit.restype = ctypes.c_char_p
        return f"llama.cpp {_text(lib.llama_version())} ({_text(self._base.ggml_commit())})"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


class _Override(ctypes.Structure):
    """ggml's llama_model_tensor_buft_override, which the binding leaves out."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def model_parameters(plan: Plan, devices: Devices) -> tuple[Any, list[object]]:
    """llama_model_params for `plan`, and what must stay alive while they are used."""
    params = lib.llama_model_default_params()
    alive: list[object] = []
    params.n_gpu_layers = plan.n_gpu_layers
    params.load_mode = lib.LLAMA_LOAD_MODE_MMAP if plan.use_mmap else lib.LLAMA_LOAD_MODE_NONE
    params.use_extra_bufts = plan.use_extra_buffers and extra_buffers_work()
    if plan.n_gpu_layers == 0 or plan.devices:
        # An empty list where nothing goes to a GPU: otherwise a GPU build takes its work buffers
        # there all the same.
        chosen = devices.pointers(plan.devices) if plan.n_gpu_layers else ()
        pointers = (ctypes.c_void_p * (len(chosen) + 1))(*chosen, None)
        params.devices = ctypes.cast(pointers, ctypes.c_void_p)
        alive.append(pointers)
    if plan.tensor_split:
        count = lib.llama_max_devices()
        if len(plan.tensor_split) > count:
            raise Refusal("bad_plan", f"tensor_split for {len(plan.tensor_split)} devices")
        shares = (ctypes.c_float * count)(*plan.tensor_split)
        params.tensor_split = ctypes.cast(shares, ctypes.POINTER(ctypes.c_float))
        alive.append(shares)
    if plan.experts_on_cpu:
        cpu = devices.cpu_buffer_type()
        rows = [
            _Override(rf"blk\.{layer}\.{_EXPERTS}".encode(), cpu)
            for layer in range(plan.experts_on_cpu)
        ]
        overrides = (_Override * (len(rows) + 1))(*rows, _Override(None, None))
        params.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        alive.append(overrides)
    return params, alive


def context_parameters(plan: Plan) -> Any:
    """llama_context_params for `plan`."""
    for name in (plan.kv_type_k, plan.kv_type_v):
        if name not in _TYPES:
            raise Refusal("bad_plan", f"unknown KV type {name}")
    if plan.flash_attention not in _FLASH_ATTENTION:
        raise Refusal("bad_plan", f"flash attention {plan.flash_attention}")
    if min(plan.context_length, plan.batch, plan.ubatch) < 1:
        raise Refusal("bad_plan", "a length below 1")
    params = lib.llama_context_default_params()
    params.n_ctx = plan.context_length
    params.n_batch = plan.batch
    params.n_ubatch = min(plan.ubatch, plan.batch)
    params.n_seq_max = 1
    params.n_outputs_max = plan.n_outputs_max
    params.n_threads = params.n_threads_batch = plan.n_threads or default_threads()
    params.flash_attn_type = _FLASH_ATTENTION[plan.flash_attention]
    params.type_k = _TYPES[plan.kv_type_k]
    params.type_v = _TYPES[plan.kv_type_v]
    params.swa_full = False
    params.offload_kqv = params.op_offload = plan.n_gpu_layers != 0
    return params


class Model:
    """A model and its context in memory. One thread uses it."""

    def __init__(
        self,
        path: str,
        plan: Plan,
        devices: Devices,
        log: Log,
        *,
        stop: threading.Event,
        report: Callable[[float], None],
    ) -> None:
        """Load, to the letter of `plan`. Raises Refusal (why `cancelled` where `stop` was set)."""
        self._model = self._context = None
        started = time.monotonic()
        resident = resident_bytes() or 0
        log.clear()
        params, self._alive = model_parameters(plan, devices)
        self.n_batch = plan.ubatch

        def progress(fraction: float, user_data: object) -> bool:
            report(fraction)
            return not stop.is_set()

        params.progress_callback = lib.llama_progress_callback(progress)
        context_params = context_parameters(plan)
        try:
            self._model = lib.llama_model_load_from_file(path.encode(), params)
            if self._model is None:
                raise Refusal("cancelled") if stop.is_set() else log.refusal()
            self._refuse_other_kinds()
            self._context = lib.llama_init_from_model(self._model, context_params)
            if self._context is None:
                raise log.refusal()
            if stop.is_set():
                raise Refusal("cancelled")
        except Refusal:
            self.close()
            raise
        self.vocabulary = lib.llama_model_get_vocab(self._model)
        self.n_threads = int(context_params.n_threads)
        self.n_context = int(lib.llama_n_ctx(self._context))
        self.n_gpu_layers = plan.n_gpu_layers
        self.devices: tuple[DeviceBytes, ...] = ()
        self.memory_source = ""
        self.memory_bytes: dict[str, int] = {}
        self._measure(log, devices, resident, is_mapped=plan.use_mmap)
        self.seconds = time.monotonic() - started

    def _refuse_other_kinds(self) -> None:
        if lib.llama_model_has_encoder(self._model) or lib.llama_model_is_diffusion(self._model):
            raise Refusal("not_a_chat_model", self.metadata("general.architecture"))

    def _measure(
        self, log: Log, devices: Devices, resident_before: int, *, is_mapped: bool
    ) -> None:
        gpus = [device.name for device in devices.list() if device.type in ("gpu", "igpu")]
        found, source = memory_of(self._model, self._context, log.lines, gpus, is_mapped=is_mapped)
        if measured := pools(found, gpus):
            self.devices, self.memory_source, self.memory_bytes = found, source, measured
        else:
            grown = (resident_bytes() or 0) - resident_before
            self.memory_bytes = {"ram": max(0, grown)}

    @property
    def context(self) -> Any:
        return self._context

    @property
    def model(self) -> Any:
        return self._model

    def close(self) -> None:
        if self._context is not None:
            lib.llama_free(self._context)
        if self._model is not None:
            lib.llama_model_free(self._model)
        self._model = self._context = None

    def set_threads(self, count: int) -> None:
        """For what is written and for prompts, from the next step on."""
        lib.llama_set_n_threads(self._context, count, count)

    def metadata(self, key: str) -> str:
        """A value of the header as text, empty where there is none."""
        buffer = ctypes.create_string_buffer(1024)
        length = lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else ""

    def description(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self._model, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def template(self) -> str | None:
        source = lib.llama_model_chat_template(self._model, None)
        return None if source is None else source.decode("utf-8", "replace")

    def special_text(self, kind: str) -> str:
        """Text of the `bos` or `eos` token, empty where the vocabulary has none."""
        token = getattr(lib, f"llama_vocab_{kind}")(self.vocabulary)
        return "" if token < 0 else _text(lib.llama_vocab_get_text(self.vocabulary, token))

    def tokenize(self, text: bytes, *, add_special: bool) -> list[int]:
        # Room by the text's own length: a file may claim a training context of 2^31.
        room = len(text) + 16
        for _ in range(2):
            tokens = (lib.llama_token * room)()
            count = lib.llama_tokenize(
                self.vocabulary, text, len(text), tokens, room, add_special, True
            )
            if count >= 0:
                return list(tokens[:count])
            if count == -(1 << 31):
                break
            room = -count
        raise Refusal("context_too_long", f"{len(text)} bytes")

    def piece(self, token: int, *, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = lib.llama_token_to_piece(self.vocabulary, token, buffer, 256, 0, special)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = lib.llama_token_to_piece(self.vocabulary, token, buffer, -length, 0, special)
        return buffer.raw[: max(0, length)]

    def special_texts(self) -> list[str]:
        """Of all tokens that mean something to the model beside what they say."""
        found = []
        for token in range(lib.llama_vocab_n_tokens(self.vocabulary)):
            attributes = lib.llama_vocab_get_attr(self.vocabulary, token)
            text = ""
            if attributes & (lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED):
                text = _text(lib.llama_vocab_get_text(self.vocabulary, token))
            if attributes & lib.LLAMA_TOKEN_ATTR_CONTROL or text.startswith("<|"):
                found.append(text)
        return found

    def is_control(self, token: int) -> bool:
        return bool(
            lib.llama_vocab_is_control(self.vocabulary, token)
            or lib.llama_vocab_is_eog(self.vocabulary, token)
        )

    def builtin_template(self, messages: Sequence[ChatMessage]) -> str | None:
        """llama.cpp's own rendering for the family that the template looks like."""
        source = self.template()
        if source is None:
            return None
        chat = (lib.llama_chat_message * len(messages))(
            *(
                lib.llama_chat_message(
                    role=m.role.encode(), content=m.content.encode("utf-8", "replace")
                )
                for m in messages
            )
        )
        room = 2 * sum(len(m.content.encode("utf-8", "replace")) + 64 for m in messages) + 256
        for _ in range(2):
            buffer = ctypes.create_string_buffer(room)
            length = lib.llama_chat_apply_template(
                source.encode(), chat, len(messages), True, buffer, room
            )
            if length < 0:
                return None
            if length <= room:
                return buffer.raw[:length].decode("utf-8", "replace")
            room = length
        return None


def start(write: Callable[[str], object]) -> tuple[Devices, Log]:
    """Set llama.cpp up once; its log comes here from then on."""
    log = Log(write)
    lib.llama_backend_init()
    devices = Devices()
    devices.load_backends()
    return devices, log
