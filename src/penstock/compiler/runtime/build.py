"""Origin → cached shared library: keyed by content, compiler and CPU; atomic; safe among processes.

A cached file ends in the SHA-256 of what stands before it, so that a truncated or altered one is
seen and built again. Whoever builds holds a lock, which the system drops if he is killed. Where the
cache cannot be trusted or used, a kernel is built for this process alone, and that is said once.
"""

import ctypes
import errno
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from penstock.compiler.runtime import cache
from penstock.errors import BackendError
from penstock.plain import one_line

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
COMPILER_SECONDS = 120.0  # a kernel takes 0.6 s; on a machine with much else to do, some more
MOST_SAID = 2**24  # bytes that a compiler may say; it could fill the disk
_SPARE = 2**20  # bytes; a kernel has 70 kB, and a linker that has no room for it names no reason
_given_up: dict[tuple[str, ...], str] = {}  # compilers that are not started again, and why


class BuildError(BackendError):
    """A kernel could not be compiled."""


@lru_cache
def compiler() -> tuple[str, ...] | None:
    """Return the command of a C compiler: $CC, the system's, or PyPI's ziglang; None without."""
    for command in (named_compiler(), ("cc",), ("gcc",), ("clang",)):
        if command and shutil.which(command[0]):
            return command
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined")
    return None


def named_compiler() -> tuple[str, ...] | None:
    """Return the command in $CC, in words as a shell has them; None where it names none."""
    text = os.environ.get("CC", "")
    if shutil.which(text):  # a path with spaces, say
        return (text,)
    try:
        words = shlex.split(text, posix=os.name != "nt")  # else \ in a path would quote
    except ValueError:
        return None
    return tuple(word.strip('"') for word in words) or None


def library(source: str) -> ctypes.CDLL:
    """Return the loaded library of a C source, from the cache or compiled now.

    Raises:
        BuildError: there is no compiler, or it fails; the message has the end of what it said.
    """
    command = compiler()
    if command is None:
        raise BuildError(NO_COMPILER)
    key = _key(command, source)
    try:
        return ctypes.CDLL(str(_cached(cache.prepared(), key, command, source)))
    except OSError as error:
        _say_once(cache.reason(error))
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as folder:
            cache.make_safe(Path(folder))
            return ctypes.CDLL(str(_build(Path(folder), key, command, source)))
    except OSError as error:
        words = f"what {_words(command)} makes cannot be kept or loaded: {cache.reason(error)}"
        raise BuildError(words) from error


def is_ready(source: str) -> bool:
    """Return whether the cache has the library of a C source.

    Raises:
        BuildError: there is no compiler, so none can be made.
    """
    command = compiler()
    if command is None:
        raise BuildError(NO_COMPILER)
    try:
        return cache.is_whole(cache.prepared() / f"{_key(command, source)}.so")
    except OSError:  # there is no cache to be used
        return False


@lru_cache
def _say_once(reason: str) -> None:
    warnings.warn(
        f"the kernel cache cannot be used ({reason}); compiling for this process alone. Set "
        "PENSTOCK_CACHE to a folder of your own.",
        stacklevel=3,
    )


def _cached(folder: Path, key: str, command: tuple[str, ...], source: str) -> Path:
    """Return the path of a whole library, building it unless it is there."""
    path = folder / f"{key}.so"
    if cache.is_whole(path):
        return path
    with cache.lock(path):
        if not cache.is_whole(path):  # another process may have built it while we waited
            _build(folder, key, command, source)
            cache.tidy(path)
    return path


def _build(folder: Path, key: str, command: tuple[str, ...], source: str) -> Path:
    """Compile a source into <key>.so of a folder, in a folder below that nobody else knows."""
    path = folder / f"{key}.so"
    with cache.workplace(folder) as here:
        code, made, said = here / "kernel.c", here / "kernel.so", here / "said"
        code.write_text(source, "utf-8")
        status = _run([*command, *_FLAGS, str(code), "-o", str(made), "-lm"], command, said, folder)
        if status or not stat.S_ISREG(_mode(made)):
            if shutil.disk_usage(here).free < _SPARE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
            words = one_line(said.read_bytes()[-500:].decode(errors="replace").strip())
            failed = f"failed with status {status}" if status else "left no library"
            raise BuildError(f"{_words(command)} {failed}: {words or 'it said nothing'}")
        cache.write(path, made.read_bytes(), here)
    return path


def _mode(path: Path) -> int:
    """Return what kind of file lies at a path, links not followed; 0 for nothing."""
    return os.lstat(path).st_mode if os.path.lexists(path) else 0


def _run(call: list[str], command: tuple[str, ...], said: Path, folder: Path) -> int:
    """Run a compiler, and end it with all that it started if it takes or says too much."""
    if command in _given_up:
        raise BuildError(f"{_given_up[command]} before")
    settings = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache.compilers_own(folder))}
    with said.open("wb") as file:  # no pipe: a child that lives on would hold it open
        try:
            process = subprocess.Popen(
                call, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=settings,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise BuildError(f"{_words(command)} cannot be started: {error.strerror}") from error
    ends = time.monotonic() + COMPILER_SECONDS
    try:
        while time.monotonic() < ends and said.stat().st_size <= MOST_SAID:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(0.1)
    finally:
        if process.poll() is None:
            _kill(process)
    much = said.stat().st_size > MOST_SAID
    failed = "said far too much" if much else f"did not end within {COMPILER_SECONDS:g} s"
    _given_up[command] = f"{_words(command)} {failed}"
    raise BuildError(_given_up[command])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(command: tuple[str, ...]) -> str:
    return one_line(shlex.join(command))


def _key(command: tuple[str, ...], source: str) -> str:
    """Return the name of a kernel: of all that decides what is in it."""
    try:
        parts = [source, *_identity(command), *_FLAGS]
    except OSError as error:
        raise BuildError(f"{_words(command)} cannot be used: {error.strerror}") from error
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]


@lru_cache
def _identity(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what makes this compiler on this CPU another than others, without starting it."""
    binary = shutil.which(command[0]) or command[0]
    info = Path(binary).resolve().stat()
    return (*command, str(info.st_size), str(info.st_mtime_ns), platform.machine(), _cpu())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.processor())
