"""Source → cached shared library: keyed by content, compiler and CPU; atomic; safe among processes.

A cached file ends in the SHA-256 of what stands before it, so that a truncated or altered one is
seen and built again. Whoever builds holds a lock, which the system drops if he is killed.
"""

import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from penstock.errors import BackendError

_FLAGS = [
    "-O3",
    "-march=native",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-std=gnu11",
    "-shared",
    "-fPIC",
    "-w",
]
NO_COMPILER = (
    "there is no C compiler; install one (Debian: apt install gcc), or Clang from PyPI: "
    "pip install ziglang"
)
_DIGEST = hashlib.sha256().digest_size


class BuildError(BackendError):
    """A kernel could not be compiled."""


@lru_cache
def compiler() -> tuple[str, ...] | None:
    """Return the command of a C compiler: $CC, the system's, or PyPI's ziglang; None without."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name.split()[0]):
            return tuple(name.split())
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined")
    return None


def library(source: str) -> ctypes.CDLL:
    """Return the loaded library of a C source, from the cache or compiled now.

    Raises:
        BuildError: there is no compiler, or it fails; the message has the end of what it said.
    """
    command = compiler()
    if command is None:
        raise BuildError(NO_COMPILER)
    key = hashlib.sha256("\n".join([source, *_identity(command), *_FLAGS]).encode()).hexdigest()[
        :32
    ]
    try:
        return ctypes.CDLL(str(_cached(cache_folder(), key, command, source)))
    except OSError as error:
        warnings.warn(
            f"the kernel cache {cache_folder()} cannot be used ({error}); compiling for this "
            "process alone. Set PENSTOCK_CACHE to a folder that can be written to.",
            stacklevel=2,
        )
    with tempfile.TemporaryDirectory() as folder:
        try:
            return ctypes.CDLL(str(_cached(Path(folder), key, command, source)))
        except OSError as error:
            raise BuildError(f"what {' '.join(command)} made cannot be loaded: {error}") from error


def cache_folder() -> Path:
    """Return where kernels are kept: $PENSTOCK_CACHE, or the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PENSTOCK_CACHE") or Path(base) / "penstock")


def _cached(folder: Path, key: str, command: tuple[str, ...], source: str) -> Path:
    """Return the path of a whole library, building it unless it is there."""
    path = folder / f"{key}.so"
    if _is_whole(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / f"{key}.lock"):
        if not _is_whole(path):  # another process may have built it while we waited
            _build(path, command, source)
    return path


def _is_whole(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def _build(path: Path, command: tuple[str, ...], source: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as folder:
        code, result = Path(folder, "kernel.c"), Path(folder, "kernel.so")
        code.write_text(source)
        run = subprocess.run(
            [*command, *_FLAGS, str(code), "-o", str(result), "-lm"],
            env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(path.parent / "zig")},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode or not result.exists():
            said = run.stderr.strip()[-500:]
            raise BuildError(f"{' '.join(command)} failed with status {run.returncode}: {said}")
        content = result.read_bytes()
        result.write_bytes(content + hashlib.sha256(content).digest())
        result.replace(path)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a file's lock, where the system has such locks."""
    try:
        import fcntl  # noqa: PLC0415  (not on Windows)
    except ImportError:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@lru_cache
def _identity(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what makes this compiler on this CPU another than others, without starting it."""
    binary = shutil.which(command[0]) or command[0]
    stat = Path(binary).resolve().stat()
    return (*command, str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _cpu())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.processor())
