"""The folder of kernels: the caller's alone, with locks that end, and bounded in size.

A kernel runs as whoever loads it, so one is taken only from a folder that no other user can write
to, reached by a way that no other user can change. That is looked at from the root down, as OpenSSH
does for keys: once a step is known to be safe, nobody else can swap the next. So there is no gap
between the look and the use, and paths can be used as they are.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.plain import one_line

LARGEST = 256 * 2**20  # bytes of kernels; beyond, the least recently used go. A kernel has 70 kB
LOCK_SECONDS = 150.0  # to wait for another process; more than a compiler may take
_ABANDONED = 3600.0  # seconds after which a folder of a build is that of a process which was killed
_BUILD = "build-"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LINKS = 40  # in one path, as Linux allows
_DIGEST = hashlib.sha256().digest_size
# Windows has neither links that need no rights nor owners of this kind, but a mode for text.
_FLAGS = sum(getattr(os, f, 0) for f in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
_stuck: set[Path] = set()  # folders with a lock that was waited for in vain


def location() -> Path:
    """Return where kernels are kept: $PENSTOCK_CACHE, or the user's cache.

    Raises:
        OSError: there is no home folder to keep them in.
    """
    if own := os.environ.get("PENSTOCK_CACHE"):
        return Path(own).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    try:
        base = base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise OSError("there is no home folder") from None
    return (base / "penstock").absolute()


def reason(error: OSError) -> str:
    """Return in one line why the cache cannot be used."""
    told = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    return one_line(told or str(error))


def prepared() -> Path:
    """Return the folder of kernels, made if need be, and safe to load from.

    Raises:
        OSError: it cannot be made, or another user could write to it; the message says who.
    """
    folder = location()
    make_safe(folder)
    return folder


def make_safe(folder: Path) -> None:
    """Make a folder, for its owner alone, unless it is there; raise if others could change it.

    Raises:
        OSError: the folder or a step on the way to it belongs to another user, can be written to
            by one, or cannot be made; or the folder is a link.
    """
    folder = folder.absolute()  # else its first part would not be looked at
    here, parts, links = Path(folder.anchor), list(folder.parts[1:]), 0
    _refuse_unsafe(here, os.lstat(here), last=not parts)
    while parts:
        part = parts.pop(0)
        step = here.parent if part == ".." else here / part
        info = _made(step)
        _refuse_unsafe(step, info, last=not parts)
        if not stat.S_ISLNK(info.st_mode):
            here = step
            continue
        links += 1
        if links > _LINKS:
            raise OSError(f"{folder} has too many links")
        target = Path(os.readlink(step))
        here, parts = (Path(here, target.anchor), [*_below(target), *parts])


def _made(step: Path) -> os.stat_result:
    """Return what the system knows of a step, which is made unless it is there."""
    try:
        return os.lstat(step)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(step, 0o700)
    return os.lstat(step)


def _below(path: Path) -> tuple[str, ...]:
    return path.parts[1:] if path.anchor else path.parts


def _refuse_unsafe(step: Path, info: os.stat_result, *, last: bool) -> None:
    """Raise if another user could change what lies at a step of a way."""
    if last and not stat.S_ISDIR(info.st_mode):
        kind = "a link" if stat.S_ISLNK(info.st_mode) else "no folder"
        raise OSError(f"{step} is {kind}")
    if not hasattr(os, "geteuid"):
        return
    if info.st_uid not in ((os.geteuid(),) if last else (os.geteuid(), 0)):
        raise OSError(f"{step} belongs to another user, number {info.st_uid}")
    if stat.S_ISLNK(info.st_mode):  # its own mode means nothing
        return
    others = info.st_mode & _OTHERS
    if not last and (info.st_mode & stat.S_ISVTX or _only_of(info.st_gid, others)):
        return  # in a sticky folder such as /tmp each owner's files are his own
    if others:
        raise OSError(
            f"other users can write to {step}; deny it by chmod go-w, if all in it is yours"
        )


def _only_of(group: int, others: int) -> bool:
    """Return whether those others are the group that some systems make for each user alone."""
    if others != stat.S_IWGRP or sys.platform == "win32":
        return False
    import grp  # noqa: PLC0415  (not on Windows)
    import pwd  # noqa: PLC0415

    try:
        user, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == user and {*found.gr_mem} <= {user}


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Give a new folder below another, with a name that nobody can guess, for one build."""
    with tempfile.TemporaryDirectory(
        dir=folder, prefix=_BUILD, ignore_cleanup_errors=True
    ) as place:
        yield Path(place)


def write(path: Path, kernel: bytes, place: Path) -> None:
    """Put a kernel with its digest at a path, whole or not at all; `place` is a workplace."""
    new, how = place / "whole.so", os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(new, how | _FLAGS, 0o600), "wb") as file:
        file.write(kernel + hashlib.sha256(kernel).digest())
    os.replace(new, path)


def is_whole(path: Path) -> bool:
    """Return whether a kernel is there, the caller's own, and as it was written; mark its use."""
    try:
        with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
            content = file.read()
    except OSError:  # what is not his own is as if it were not there, and is replaced
        return False
    with suppress(OSError):  # the folder may be one to read only
        os.utime(path)
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def _open(path: Path, how: int) -> int:
    """Open a file of the caller's own, which no other can write to; follow no link."""
    descriptor = os.open(path, how | _FLAGS, 0o600)
    info = os.fstat(descriptor)
    if stat.S_ISREG(info.st_mode) and _is_callers(info):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is not a file of the caller's alone")


def _is_callers(info: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    return info.st_uid == os.geteuid() and not info.st_mode & _OTHERS


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock of a kernel, where the system has such locks; the system drops a dead one's.

    Kernels share 256 files, which stay, so that nobody waits on a file that is no longer there.

    Raises:
        TimeoutError: another process holds it for too long.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  (not on Windows)

    file = path.with_name(f"{path.name[:2]}.lock")
    with os.fdopen(_open(file, os.O_RDWR | os.O_CREAT), "r+b") as held:
        ends = time.monotonic() + (0 if path.parent in _stuck else LOCK_SECONDS)
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends:
                    _stuck.add(path.parent)
                    words = f"another process has held {file} for {LOCK_SECONDS:g} s"
                    raise TimeoutError(words) from None
                time.sleep(0.02)
        yield


def tidy(kernel: Path) -> None:
    """Remove what killed builds left, and the least recently used beyond a size, but one kernel."""
    folder = kernel.parent
    _remove_abandoned(folder)
    _remove_compilers_own(folder, beyond=LARGEST)
    room = LARGEST
    for path, info in sorted(kernels(folder), key=lambda found: -found[1].st_mtime):
        room -= info.st_size
        if room < 0 and path != kernel:
            path.unlink(missing_ok=True)


def clean(folder: Path) -> tuple[int, int]:
    """Remove all kernels and what compilers left; return how many kernels, and their bytes."""
    found = kernels(folder)
    for path, _ in found:
        path.unlink(missing_ok=True)
    _remove_abandoned(folder)
    _remove_compilers_own(folder, beyond=0)
    return len(found), sum(info.st_size for _, info in found)


def kernels(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Return the kernels of a folder, with what the system knows of each."""
    found = []
    for path in folder.glob("*.so"):
        with suppress(FileNotFoundError):  # another process may tidy up
            found.append((path, os.lstat(path)))
    return found


def _remove_compilers_own(folder: Path, beyond: int) -> None:
    """Remove what Zig keeps (47 MB, and some more a kernel) if it is that large, and not in use."""
    own, size = compilers_own(folder), 0
    for at, _, names in os.walk(own):
        for name in names:
            with suppress(FileNotFoundError):  # a compiler of another process may be at work
                size += os.lstat(Path(at, name)).st_size
    if size > beyond and not any(folder.glob(f"{_BUILD}*")):
        shutil.rmtree(own, ignore_errors=True)


def compilers_own(folder: Path) -> Path:
    """Return where a compiler may keep files from one kernel to the next."""
    return folder / "zig"


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_BUILD}*"):
        with suppress(FileNotFoundError):
            if time.time() - os.lstat(path).st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)
