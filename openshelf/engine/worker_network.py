"""No network for the engine worker, where the kernel can forbid it: a seccomp filter (Linux).

A model file is hostile input to native code. What takes that code over must not reach another
machine. Sockets of this machine's own (AF_UNIX, AF_NETLINK) stay, since drivers speak over them.
Where the filter cannot be set the worker runs all the same, and its hello says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# Offsets in struct seccomp_data.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
# Of classic BPF: load a word, jump if equal, jump if greater or equal, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32 = 0x40000000
_IO_URING_SETUP = 425
"""Its requests open sockets without the system call for it."""
_AF_UNIX, _AF_NETLINK = 1, 16
_MODPROBE_SECONDS = 5.0
# Machine → audit architecture, number of socket().
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid_network() -> str:
    """Empty where it is forbidden from now on, else why not."""
    if sys.platform != "linux":
        return sys.platform
    known = _MACHINES.get(platform.machine())
    if known is None or sys.maxsize < 1 << 32:
        return platform.machine()
    make_gpu_devices()
    code = _filter(*known)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return os.strerror(ctypes.get_errno())
    if prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program), 0, 0):
        return os.strerror(ctypes.get_errno())
    return ""


def make_gpu_devices(
    driver: Path = Path("/proc/driver/nvidia"), device: Path = Path("/dev/nvidia-uvm")
) -> None:
    """Have NVIDIA's device files made before the filter is set.

    CUDA makes them itself where they are missing, by a program that gets more rights than it was
    started with; under the filter no program gets any.
    """
    if not driver.exists() or device.exists():
        return
    import shutil
    import subprocess

    program = shutil.which("nvidia-modprobe")
    if program is None:
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            [program, "-u", "-c=0"], timeout=_MODPROBE_SECONDS, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _filter(architecture: int, socket_number: int) -> bytes:
    """Every jump skips so many instructions; the last two are the ends."""
    refuse = _ERRNO | errno.EACCES
    rows = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 8, architecture),  # another one's calls have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 6, 0, _X32),
        (_EQUAL, 5, 0, _IO_URING_SETUP),
        (_EQUAL, 0, 3, socket_number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_EQUAL, 0, 1, _AF_NETLINK),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, refuse),
    ]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)
