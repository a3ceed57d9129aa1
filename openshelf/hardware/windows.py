"""GPUs on Windows through DXGI, which tells 64-bit sizes (WMI's AdapterRAM stops at 4 GB).

Not tried on a real Windows machine yet; anything unexpected ends in "unknown, because…".
"""

from __future__ import annotations

import ctypes
from typing import Any

from openshelf.hardware.facts import Gpu, GpuKind
from openshelf.hardware.known_gpus import is_known_integrated
from openshelf.hardware.sources import ProbeFailed, RawAdapter, Sources
from openshelf.reasons import Reason
from openshelf.units import GIB

_VENDORS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel", 0x4D4F4351: "Qualcomm"}
_SOFTWARE_FLAG = 2
_LARGEST_CARVE_OUT = GIB


def probe_windows(sources: Sources) -> tuple[Gpu, ...]:
    """Adapters that DXGI lists, NVIDIA's too; detect.py drops those that NVML knows better."""
    if sources.system != "Windows":
        return ()
    adapters = [adapter for adapter in sources.dxgi_adapters() if not adapter.is_software]
    return tuple(_gpu(adapter, index) for index, adapter in enumerate(adapters))


def _gpu(adapter: RawAdapter, index: int) -> Gpu:
    vendor = _VENDORS.get(adapter.vendor_id, f"{adapter.vendor_id:04x}")
    # An integrated GPU may have many GB set aside in the firmware, so its name counts first.
    is_integrated = adapter.dedicated_bytes < _LARGEST_CARVE_OUT or is_known_integrated(
        adapter.name
    )
    kind = GpuKind.INTEGRATED if is_integrated else GpuKind.DISCRETE
    shared = adapter.shared_bytes if is_integrated else 0
    return Gpu(
        id=f"dxgi-{index}",
        name=adapter.name or f"{vendor} GPU",
        vendor=vendor,
        kind=kind,
        total_bytes=adapter.dedicated_bytes + shared or None,
        free_bytes=None,
        source="DXGI",
        reason=Reason("gpu_free_memory_from_engine"),
        lent_free_bytes=shared if is_integrated else None,
    )


class _Description(ctypes.Structure):
    """DXGI_ADAPTER_DESC1."""

    _fields_ = (
        ("description", ctypes.c_wchar * 128),
        ("vendor_id", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subsystem_id", ctypes.c_uint),
        ("revision", ctypes.c_uint),
        ("dedicated_video", ctypes.c_size_t),
        ("dedicated_system", ctypes.c_size_t),
        ("shared_system", ctypes.c_size_t),
        ("luid", ctypes.c_longlong),
        ("flags", ctypes.c_uint),
    )


# IID_IDXGIFactory1 as it lies in memory, and the places of three methods in their tables.
_FACTORY_ID = bytes.fromhex("78ae0a776ff2ba4da829253c83d1b387")
_RELEASE, _ENUM_ADAPTERS, _GET_DESCRIPTION = 2, 12, 10


def list_adapters() -> list[RawAdapter]:
    """Every adapter of the first factory. Raises ProbeFailed where DXGI cannot be asked."""
    try:
        library = ctypes.WinDLL("dxgi")  # type: ignore[attr-defined, unused-ignore]
        factory = ctypes.c_void_p()
        identity = (ctypes.c_char * 16).from_buffer_copy(_FACTORY_ID)
        status = library.CreateDXGIFactory1(ctypes.byref(identity), ctypes.byref(factory))
        if status != 0 or not factory.value:
            raise ProbeFailed("dxgi_failed", detail=f"status {status & 0xFFFFFFFF:#x}")
        return _adapters_of(factory)
    except (AttributeError, OSError) as error:
        raise ProbeFailed("dxgi_failed", detail=str(error)) from error


def _adapters_of(factory: ctypes.c_void_p) -> list[RawAdapter]:
    found: list[RawAdapter] = []
    while True:
        adapter = ctypes.c_void_p()
        if _call(factory, _ENUM_ADAPTERS, ctypes.c_uint(len(found)), ctypes.byref(adapter)) != 0:
            break
        described = _Description()
        status = _call(adapter, _GET_DESCRIPTION, ctypes.byref(described))
        _call(adapter, _RELEASE)
        if status != 0:
            raise ProbeFailed("dxgi_failed", detail=f"status {status & 0xFFFFFFFF:#x}")
        found.append(
            RawAdapter(
                name=described.description,
                vendor_id=described.vendor_id,
                dedicated_bytes=described.dedicated_video,
                shared_bytes=described.shared_system,
                is_software=bool(described.flags & _SOFTWARE_FLAG),
            )
        )
    _call(factory, _RELEASE)
    return found


def _call(interface: ctypes.c_void_p, place: int, *arguments: Any) -> int:
    """Method number `place` of a COM interface."""
    table = ctypes.cast(interface, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    kinds = [
        ctypes.c_uint if isinstance(argument, ctypes.c_uint) else ctypes.c_void_p
        for argument in arguments
    ]
    prototype: Any = ctypes.WINFUNCTYPE(  # type: ignore[attr-defined, unused-ignore]
        ctypes.c_long, ctypes.c_void_p, *kinds
    )
    return int(prototype(table[place])(interface, *arguments))
