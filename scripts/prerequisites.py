"""What this machine must have before the app can be installed and run, and the command that brings
what is missing. As root on Debian and Ubuntu that command is run at once.

Standard library only, and readable for Pythons that are too old, so that they can be told so.
"""

import ctypes
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 34)  # what the wheels of PySide6 6.11 are built for

# Library → Debian package. What Qt loads for any window, even an offscreen one …
WINDOW_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
# … on an X11 display …
X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libX11-xcb.so.1": "libx11-xcb1",
}
# … and on a Wayland one. The engine itself needs OpenMP.
WAYLAND_LIBRARIES = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}
ENGINE_LIBRARIES = {"libgomp.so.1": "libgomp1"}

COMPILER_COMMANDS = {
    "apt-get": "apt-get install build-essential",
    "dnf": "dnf install gcc-c++ make",
    "zypper": "zypper install gcc-c++ make",
    "pacman": "pacman -S base-devel",
    "apk": "apk add build-base",
}


class MissingPart(Exception):
    """Something that only the person at the machine can bring; says how."""

    def __init__(self, what, command=""):
        super().__init__(what)
        self.command = command

    def __str__(self):
        text = "Openshelf cannot start yet: " + self.args[0]
        if self.command:
            text += f"\nInstall it with:\n\n    {self.command}\n\nand run this command again."
        return text


def say(text):
    print(text, flush=True)


def python_word():
    """How this person calls Python, for commands that we print."""
    return "py" if os.name == "nt" else "python3"


def require_python():
    if sys.version_info >= OLDEST_PYTHON:
        return
    found = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    what = f"this is Python {found}, and it needs {wanted} or newer."
    newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11")
             if shutil.which(name)]  # fmt: skip
    if newer:
        script = " ".join(sys.argv) if sys.argv[0] else "scripts/run.py"
        raise MissingPart(f"{what}\nA newer one is here; type:\n\n    {newer[0]} {script}")
    commands = {
        "apt-get": f"apt-get install python{wanted} python{wanted}-venv",
        "dnf": f"dnf install python{wanted}",
        "brew": f"brew install python@{wanted}",
        "winget": f"winget install Python.Python.{wanted}",
    }
    raise MissingPart(what, _command_for_here(commands))


def require_venv_module():
    """Debian cuts ensurepip out of Python and ships it as a package of its own."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    _provide([f"python{version}-venv"], "Python's venv and ensurepip modules are missing.")


def require_system():
    """A glibc that the wheels run on; other systems are told by pip."""
    if sys.platform != "linux":
        return
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name == "glibc" and numbers < OLDEST_GLIBC:
        raise MissingPart(
            f"this Linux has glibc {version}, and PySide6 6.11 needs 2.34 or newer"
            " (Debian 12, Ubuntu 22.04, RHEL 9 and later)."
        )
    if name != "glibc" and Path("/etc/alpine-release").exists():
        raise MissingPart("PySide6 has no builds for musl (Alpine); use a Linux with glibc.")


def has_compiler():
    """Whether CMake will find a C++ compiler."""
    if os.environ.get("CXX"):
        return shutil.which(os.environ["CXX"].split()[0]) is not None
    if sys.platform == "darwin":
        # /usr/bin/cc is there without any compiler behind it.
        tools = subprocess.run(["/usr/bin/xcode-select", "-p"], capture_output=True, check=False)
        return tools.returncode == 0
    if os.name == "nt" and _visual_studio():
        return True
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))


def require_compiler():
    if has_compiler():
        return
    what = "there is no C++ compiler, and llama-cpp-python is compiled while it is installed."
    if sys.platform == "darwin":
        raise MissingPart(what, "xcode-select --install")
    if os.name == "nt":
        raise MissingPart(
            what,
            "winget install Microsoft.VisualStudio.2022.BuildTools --override "
            '"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
        )
    _provide(["build-essential"], what, COMPILER_COMMANDS)


def require_shared_python():
    """PyInstaller puts Python's shared library into the app; Debian ships it in a package apart."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    if sys.platform != "linux" or ".so" not in name:
        return
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/")
    if not _loads(name) and not (folder / name).is_file():
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        _provide([f"libpython{version}"], f"Python's shared library {name} is missing.")


def require_binutils():
    """PyInstaller reads libraries with objdump on Linux."""
    if sys.platform == "linux" and not shutil.which("objdump"):
        command = {tool: f"{tool} install binutils" for tool in ("dnf", "zypper")}
        _provide(["binutils"], "objdump is missing, which PyInstaller needs.", command)


def require_libraries(*, window, x11=False):
    """The shared libraries that wheels leave to the system; only Linux lacks any.

    `x11` asks for those of an X11 display though none is there: to build for others.
    """
    if sys.platform != "linux":
        return
    wanted = dict(ENGINE_LIBRARIES)
    if window:
        wanted.update(WINDOW_LIBRARIES)
        if os.environ.get("WAYLAND_DISPLAY"):
            wanted.update(WAYLAND_LIBRARIES)
        if x11 or os.environ.get("DISPLAY"):
            wanted.update(X11_LIBRARIES)
    missing = [name for name in wanted if not _loads(name)]
    if not missing:
        return
    by_soname = " ".join(f"'{name}()(64bit)'" for name in missing)
    _provide(
        sorted({wanted[name] for name in missing}),
        f"these system libraries are missing: {', '.join(missing)}.",
        {"dnf": f"dnf install {by_soname}", "zypper": f"zypper install {by_soname}"},
    )


def has_display():
    """Whether a window can be seen; QT_QPA_PLATFORM is a choice that somebody made."""
    if sys.platform != "linux":
        return True
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return any(os.environ.get(name) for name in names)


def _loads(name):
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _visual_studio():
    folder = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
    finder = Path(folder) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    if not finder.is_file():
        return False
    tools = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    question = [str(finder), "-products", "*", "-requires", tools, "-property", "installationPath"]
    return bool(subprocess.run(question, capture_output=True, check=False).stdout.strip())


def _provide(packages, what, commands=None):
    """Install Debian packages where we may; otherwise tell the command that does."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        _install_with_apt(packages, what)
        return
    commands = {**(commands or {}), "apt-get": f"apt-get install {' '.join(packages)}"}
    raise MissingPart(what, _command_for_here(commands))


def _install_with_apt(packages, what):
    say(f"{what[0].upper()}{what[1:]}\nInstalling with apt-get: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-y", "--no-install-recommends", *packages]
    # An update that fails is no reason to stop: an old list may still have the packages.
    for words in (["update"], install):
        done = subprocess.run(
            ["apt-get", "-qq", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        say(done.stdout)
        raise MissingPart(what, f"apt-get update && apt-get {' '.join(install[:1] + packages)}")


def _command_for_here(commands):
    for tool, command in commands.items():
        if shutil.which(tool):
            as_root = tool in ("brew", "winget") or os.geteuid() == 0
            return command if as_root else f"sudo {command}"
    return ""
