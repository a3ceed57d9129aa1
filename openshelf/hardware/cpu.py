"""The processor: its name, cores, and the instruction sets that decide how fast llama.cpp is."""

from __future__ import annotations

import re

from openshelf.hardware.facts import Cpu
from openshelf.hardware.sources import ProbeFailed, Sources

# What the kernels call them → what people call them, in the order shown.
_X86_FLAGS = {
    "sse4_2": "SSE4.2", "avx": "AVX", "f16c": "F16C", "fma": "FMA", "avx2": "AVX2",
    "avx_vnni": "AVX-VNNI", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "amx_int8": "AMX INT8",
}  # fmt: skip
_ARM_FLAGS = {
    "asimd": "NEON", "asimdhp": "FP16", "asimddp": "DotProd", "i8mm": "I8MM", "bf16": "BF16",
    "sve": "SVE", "sve2": "SVE2", "sme": "SME",
}  # fmt: skip
_MAC_KEYS = {
    "hw.optional.neon": "NEON", "hw.optional.arm.FEAT_FP16": "FP16",
    "hw.optional.arm.FEAT_DotProd": "DotProd", "hw.optional.arm.FEAT_I8MM": "I8MM",
    "hw.optional.arm.FEAT_BF16": "BF16", "hw.optional.arm.FEAT_SME": "SME",
    "hw.optional.avx1_0": "AVX", "hw.optional.avx2_0": "AVX2", "hw.optional.fma": "FMA",
    "hw.optional.avx512f": "AVX-512",
}  # fmt: skip
_WINDOWS_FEATURES = {38: "SSE4.2", 39: "AVX", 40: "AVX2", 41: "AVX-512", 43: "DotProd"}


def probe_cpu(sources: Sources) -> Cpu:
    """Raises ProbeFailed where not even the number of cores is known."""
    match sources.system:
        case "Linux":
            return _linux(sources)
        case "Darwin":
            return _mac(sources)
        case "Windows":
            return _windows(sources)
    return _cpu(sources, "", None, (), "psutil")


def _cpu(
    sources: Sources,
    name: str,
    cores: tuple[int | None, int | None] | None,
    features: tuple[str, ...],
    source: str,
) -> Cpu:
    physical, logical = cores if cores else sources.core_counts()
    logical = logical or physical
    if not logical:
        raise ProbeFailed("cpu_unknown")
    return Cpu(
        name=" ".join(name.split()) or sources.arch,
        physical_cores=physical or logical,
        logical_cores=logical,
        features=features,
        source=source,
    )


def _linux(sources: Sources) -> Cpu:
    text = sources.read("/proc/cpuinfo")
    if not text:
        return _cpu(sources, "", None, (), "psutil")
    blocks = [_fields(block) for block in re.split(r"\n\s*\n", text)]
    blocks = [block for block in blocks if "processor" in block]
    if not blocks:
        return _cpu(sources, "", None, (), "psutil")
    cores = {
        (block.get("physical id", "0"), block.get("core id", block["processor"]))
        for block in blocks
    }
    name = blocks[0].get("model name") or sources.read("/proc/device-tree/model") or ""
    flags = set((blocks[0].get("flags") or blocks[0].get("Features") or "").split())
    table = _X86_FLAGS if "flags" in blocks[0] else _ARM_FLAGS
    features = tuple(shown for flag, shown in table.items() if flag in flags)
    return _cpu(sources, name, (len(cores), len(blocks)), features, "/proc/cpuinfo")


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _mac(sources: Sources) -> Cpu:
    try:
        # -i: keys that this model does not know are left out instead of failing the call.
        text = sources.run_command(["/usr/sbin/sysctl", "-i", "machdep.cpu.brand_string",
                                    "hw.physicalcpu", "hw.logicalcpu", *_MAC_KEYS])  # fmt: skip
    except ProbeFailed:
        return _cpu(sources, "", None, (), "psutil")
    values = _fields(text)
    cores = (_number(values.get("hw.physicalcpu")), _number(values.get("hw.logicalcpu")))
    features = tuple(shown for key, shown in _MAC_KEYS.items() if values.get(key) == "1")
    name = values.get("machdep.cpu.brand_string", "")
    return _cpu(sources, name, cores if cores[1] else None, features, "sysctl")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _windows(sources: Sources) -> Cpu:
    name = ""
    features: tuple[str, ...] = ()
    try:
        import ctypes
        import winreg

        key = winreg.OpenKey(  # type: ignore[attr-defined, unused-ignore]
            winreg.HKEY_LOCAL_MACHINE,  # type: ignore[attr-defined, unused-ignore]
            r"HARDWARE\DESCRIPTION\System\CentralProcessor\0",
        )
        name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0])  # type: ignore[attr-defined, unused-ignore]
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent  # type: ignore[attr-defined, unused-ignore]
        features = tuple(shown for number, shown in _WINDOWS_FEATURES.items() if present(number))
    except (ImportError, OSError, AttributeError):
        pass
    return _cpu(sources, name, None, features, "registry" if name else "psutil")
