"""The lowest priority for the calling thread, in computing and on the disk."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_DARWIN_THREAD, _DARWIN_BACKGROUND = 3, 0x1000
"""PRIO_DARWIN_THREAD and PRIO_DARWIN_BG of macOS's sys/resource.h."""
_WINDOWS_BACKGROUND = 0x00010000
"""THREAD_MODE_BACKGROUND_BEGIN of winbase.h."""


def lower_priority() -> None:
    """For good: a thread that has it cannot get the usual one back. Never raises."""
    with contextlib.suppress(OSError, AttributeError, ImportError, ValueError):
        if sys.platform == "linux":
            _lower_on_linux()
        elif sys.platform == "darwin":
            os.setpriority(_DARWIN_THREAD, 0, _DARWIN_BACKGROUND)
        elif sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _WINDOWS_BACKGROUND)


def _lower_on_linux() -> None:
    import psutil

    # Linux takes a thread's id where others take a process's.
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, 19)
    with contextlib.suppress(psutil.Error):
        psutil.Process(thread).ionice(psutil.IOPRIO_CLASS_IDLE)
