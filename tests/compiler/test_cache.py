"""The folder of kernels: nothing of a stranger's is loaded, nothing waits for ever or grows so."""

import ctypes
import fcntl
import grp
import hashlib
import os
import pwd
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from building import SOURCE, answer, counting, runs, start, use, wrapper

from penstock.cli.main import run
from penstock.compiler import diagnosis
from penstock.compiler.backends.c import threads
from penstock.compiler.runtime import build
from penstock.compiler.runtime import cache as kernel_cache
from penstock.compiler.runtime.build import BuildError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 12345
CANNOT = r"the kernel cache cannot be used \(.*{}.*Set PENSTOCK_CACHE"


def evil(cache, tmp_path):
    """Put in place of the kernel one of another make, with the right digest; return its path."""
    answer()
    (path,) = cache.glob("*.so")
    (tmp_path / "evil.c").write_text(SOURCE.replace("42", "666"))
    made = tmp_path / "evil.so"
    subprocess.run(["cc", "-shared", "-fPIC", tmp_path / "evil.c", "-o", made], check=True)
    path.unlink()  # it is mapped into this process
    path.write_bytes(made.read_bytes() + hashlib.sha256(made.read_bytes()).digest())
    path.chmod(0o600)
    return path


def answer_elsewhere():
    """Return what a new process is given, and what it said."""
    said, _ = start().communicate(timeout=60)
    return said


# ---------------------------------------------------------------- strangers


def test_the_planted_kernel_would_run_if_it_were_the_callers(cache, tmp_path):
    """What the tests below rest on: the plant is one that works."""
    evil(cache, tmp_path)
    assert answer_elsewhere() == "666\n"


@needs_root
@pytest.mark.parametrize("what", ["folder", "file", "both"])
def test_a_stranger_planted_a_kernel(cache, tmp_path, what):
    path = evil(cache, tmp_path)
    if what != "file":
        os.chown(cache, STRANGER, STRANGER)
    if what != "folder":
        os.chown(path, STRANGER, STRANGER)
    said, words = start(strict=False).communicate(timeout=60)
    assert said == "42\n"
    assert ("belongs to another user, number 12345" in words) == (what != "file")


@needs_root
def test_doctor_says_that_the_cache_is_a_strangers(cache):
    cache.mkdir()
    os.chown(cache, STRANGER, STRANGER)
    words = f"not used, each process builds its own: {cache} belongs to another user, number 12345"
    assert diagnosis.cache_state() == words
    with pytest.warns(UserWarning, match=CANNOT.format("belongs to another user")):
        assert answer() == 42


def test_a_stranger_for_whoever_is_no_root(cache, tmp_path, monkeypatch):
    evil(cache, tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    with pytest.raises(OSError, match="belongs to another user"):
        kernel_cache.prepared()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
def test_a_folder_that_others_can_write_to(cache, tmp_path, mode):
    path = evil(cache, tmp_path)
    cache.chmod(mode)
    with pytest.warns(UserWarning, match=CANNOT.format("other users can write to .*chmod go-w")):
        assert answer() == 42
    assert path.exists()


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_kernel_that_others_can_write_to_is_built_again(cache, tmp_path, mode):
    path = evil(cache, tmp_path)
    path.chmod(mode)
    assert answer_elsewhere() == "42\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_folder_is_a_link(cache, tmp_path):
    evil(cache, tmp_path)
    cache.rename(tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match=CANNOT.format("is a link")):
        assert answer() == 42


def test_a_kernel_that_is_a_link_is_built_again(cache, tmp_path):
    path = evil(cache, tmp_path)
    target = path.rename(tmp_path / "elsewhere.so")
    path.symlink_to(target)
    before = target.read_bytes()
    assert answer_elsewhere() == "42\n"
    assert not path.is_symlink()
    assert target.read_bytes() == before


def test_a_pipe_in_place_of_a_kernel(cache, tmp_path):
    path = evil(cache, tmp_path)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert answer_elsewhere() == "42\n"


WAYS = {
    "a folder open to all": (0o777, "other users can write to .*way"),
    "a folder open to a group": (0o775, "other users can write to .*way"),
    "a sticky one, as /tmp": (0o1777, None),
    "a private one": (0o700, None),
    "one that others read": (0o755, None),
}


@pytest.mark.parametrize(("mode", "words"), WAYS.values(), ids=WAYS.keys())
def test_the_way_to_the_folder(tmp_path, cache, monkeypatch, mode, words):
    """PENSTOCK_CACHE in a folder where others could put another in its place."""
    way = tmp_path / "way"
    (way / "down").mkdir(parents=True)
    os.chown(way, os.geteuid(), 54321 if os.geteuid() == 0 else -1)
    way.chmod(mode)
    monkeypatch.setenv("PENSTOCK_CACHE", str(way / "down" / "cache"))
    if words is None:
        assert answer() == 42
        assert (way / "down" / "cache").stat().st_mode & 0o777 == 0o700
        assert len(list((way / "down" / "cache").glob("*.so"))) == 1
    else:
        with pytest.warns(UserWarning, match=CANNOT.format(words)):
            assert answer() == 42


def test_a_group_for_one_user_alone_is_no_other(tmp_path, cache, monkeypatch):
    """Some systems make a group for each user, and folders that it may write to."""
    way = tmp_path / "way"
    way.mkdir()
    way.chmod(0o775)
    monkeypatch.setenv("PENSTOCK_CACHE", str(way / "cache"))
    user = pwd.getpwuid(os.geteuid()).pw_name
    for name, members, good in [
        (user, [], True), (user, [user], True), (user, ["eve"], False), ("staff", [], False),
    ]:  # fmt: skip
        found = grp.struct_group((name, "x", way.stat().st_gid, members))
        monkeypatch.setattr(grp, "getgrgid", lambda _, found=found: found)
        if good:
            assert kernel_cache.prepared() == way / "cache"
        else:
            with pytest.raises(OSError, match="other users can write"):
                kernel_cache.prepared()


@needs_root
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_strangers_step_on_the_way(tmp_path, cache, monkeypatch, kind):
    """In a folder such as /tmp others can put things where ours are to be."""
    open_to_all, target = tmp_path / "tmp", tmp_path / "target"
    for folder in (open_to_all, target):
        folder.mkdir()
    open_to_all.chmod(0o1777)
    step = open_to_all / "step"
    step.symlink_to(target) if kind == "link" else step.mkdir()
    os.chown(step, STRANGER, STRANGER, follow_symlinks=False)
    monkeypatch.setenv("PENSTOCK_CACHE", str(step / "cache"))
    with pytest.warns(UserWarning, match=CANNOT.format("step belongs to another user")):
        assert answer() == 42
    assert not list(target.iterdir())


def test_own_links_on_the_way_are_followed(tmp_path, cache, monkeypatch):
    """Relative and absolute, one after another; and a ring of them ends."""
    (tmp_path / "real").mkdir()
    (tmp_path / "one").symlink_to("real/../two")
    (tmp_path / "two").symlink_to(tmp_path / "real")
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "one" / "cache"))
    assert answer() == 42
    assert list((tmp_path / "real" / "cache").glob("*.so"))
    (tmp_path / "ring").symlink_to("ring")
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "ring" / "cache"))
    with pytest.warns(UserWarning, match=CANNOT.format("too many links")):
        assert answer(SOURCE.replace("42", "43")) == 43


@needs_root
def test_another_users_home(tmp_path, cache, monkeypatch):
    """As under sudo: root takes nothing from there, and leaves nothing there."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, STRANGER, STRANGER)
    monkeypatch.delenv("PENSTOCK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    with pytest.warns(UserWarning, match=CANNOT.format("home belongs to another user")):
        assert answer() == 42
    assert not list(home.iterdir())


def test_a_new_folder_is_private_whatever_the_mask(cache):
    before = os.umask(0)
    try:
        assert answer() == 42
    finally:
        os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in cache.iterdir()} == {0o600}
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_place_for_private_builds_that_others_can_change(tmp_path, cache, monkeypatch):
    """Where nothing is safe, nothing is built: the equations run."""
    cache.write_text("in the way")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "open"))
    with (
        pytest.warns(UserWarning, match=CANNOT.format("is no folder")),
        pytest.raises(BuildError, match=r"other users can write to .*open"),
    ):
        answer()


def test_no_home(cache, monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PENSTOCK_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    with pytest.warns(UserWarning, match=CANNOT.format("there is no home folder")):
        assert answer() == 42
    assert "there is no home folder" in diagnosis.cache_state()


def test_a_home_that_is_relative_is_looked_at_from_its_first_part(tmp_path, cache, monkeypatch):
    """Not only its parts after the first, which may lead elsewhere."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o777)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "home")
    for unsafe in (kernel_cache.prepared, lambda: kernel_cache.make_safe(Path("home/cache"))):
        with pytest.raises(OSError, match=r"other users can write to .*home"):
            unsafe()
    (tmp_path / "home").chmod(0o755)
    assert kernel_cache.prepared() == tmp_path / "home" / ".cache" / "penstock"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


AS_ANOTHER = textwrap.dedent("""
    import grp, os, pwd, sys, warnings  # what is imported later may lie in the home of root
    warnings.simplefilter("always")
    from penstock.compiler import diagnosis
    from penstock.compiler.runtime import build
    uid = int(sys.argv[2])
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    print(build.library(sys.argv[1]).answer(), diagnosis.cache_state())
""")


@needs_root
@pytest.mark.parametrize("owner", [0, STRANGER, STRANGER + 1])
@pytest.mark.usefixtures("cache")
def test_a_second_user_indeed(tmp_path, monkeypatch, owner):
    """Not root, with rights of his own alone: only what is his own is loaded."""
    with tempfile.TemporaryDirectory() as way:  # tmp_path is closed to others
        os.chmod(way, 0o755)
        cache = Path(way, "cache")
        monkeypatch.setenv("PENSTOCK_CACHE", str(cache))
        path = evil(cache, tmp_path)
        for one in (cache, path, *cache.glob("*.lock")):
            os.chown(one, owner, owner)
        command = [sys.executable, "-c", AS_ANOTHER, SOURCE, str(STRANGER)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    if owner == STRANGER:
        assert done.stdout.startswith("666 ")  # the plant works
        assert not done.stderr
    else:
        refused = f"{cache} belongs to another user, number {owner}"
        assert done.stdout == f"42 not used, each process builds its own: {refused}\n"
        assert done.stderr.count("UserWarning: the kernel cache cannot be used") == 1
        assert f"({refused})" in done.stderr


def test_doctor_says_in_one_line_where_the_cache_is(cache, monkeypatch):
    for name, inside in (
        ("a\nb\x1b[2J", r"a\nb\x1b[2J (0 kernels"),
        ("a\nfile", r"a\nfile is no f"),
    ):
        cache.mkdir(exist_ok=True)
        (cache / "a\nfile").touch()
        monkeypatch.setenv("PENSTOCK_CACHE", str(cache / name))
        assert inside in diagnosis.cache_state()


def test_a_compiler_that_leaves_a_file_of_others_where_ours_is_to_be(cache, tmp_path, monkeypatch):
    """A hard link, which is no link to whoever opens it: nothing that is there is written to."""
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    use(
        monkeypatch,
        wrapper(tmp_path, f'for o in "$@"; do [ "$p" = -o ] && d=${{o%/*}}; p=$o; done; '
                          f'ln "{precious}" "$d/whole.so"'),
    )  # fmt: skip
    with (
        pytest.warns(UserWarning, match=CANNOT.format("File exists")),
        pytest.raises(BuildError, match="cannot be kept or loaded"),
    ):
        answer()
    assert precious.read_text() == "years of work"


# ---------------------------------------------------------------- locks and time


def locks(cache):
    """Return the name of the lock of the kernel, as it is in an empty folder."""
    answer()
    (kernel,) = cache.glob("*.so")
    kernel.unlink()
    (lock,) = cache.glob("*.lock")
    return lock


def test_a_lock_that_is_a_link_empties_nothing(cache, tmp_path):
    lock, precious = locks(cache), tmp_path / "precious"
    precious.write_text("years of work")
    lock.unlink()
    lock.symlink_to(precious)
    with pytest.warns(UserWarning, match=CANNOT.format("symbolic links")):
        assert answer() == 42
    assert precious.read_text() == "years of work"


@pytest.mark.usefixtures("soon")
def test_a_lock_that_is_never_given_back(cache, monkeypatch):
    """It is waited for once; then this process builds for itself, and says so once."""
    lock = locks(cache)
    monkeypatch.setattr(kernel_cache, "LOCK_SECONDS", 0.3)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun = time.monotonic()
        with pytest.warns(UserWarning, match=CANNOT.format("has held .* for 0.3 s")) as said:  # noqa: PT031
            assert answer() == 42
            impatient = SimpleNamespace(monotonic=time.monotonic, sleep=None)
            with monkeypatch.context() as patch:
                patch.setattr(kernel_cache, "time", impatient)  # whoever waits again, fails
                assert answer() == 42
        assert time.monotonic() - begun > 0.3
        assert len(said) == 1
        assert not list(cache.glob("*.so"))
    assert answer() == 42
    assert list(cache.glob("*.so"))


@pytest.mark.usefixtures("soon")
def test_a_compiler_that_hangs(cache, tmp_path, monkeypatch):
    """All that it started ends with it, and it is not tried again."""
    started = tmp_path / "started"
    use(monkeypatch, wrapper(tmp_path, f'sleep 600 & echo $! >> "{started}"; wait'))
    monkeypatch.setattr(build, "COMPILER_SECONDS", 0.5)
    for _ in range(2):
        with pytest.raises(BuildError, match=r"wrapped-cc did not end within 0\.5 s"):
            answer()
    (child,) = started.read_text().split()
    deadline = time.monotonic() + 20
    status = Path(f"/proc/{child}/status")
    while status.exists() and "\tZ" not in status.read_text():  # Z: dead, and not yet buried
        assert time.monotonic() < deadline, "the compiler's child lives on"
        time.sleep(0.01)
    assert not list(cache.glob("build-*"))


@pytest.mark.usefixtures("soon")
def test_a_compiler_that_says_too_much(cache, tmp_path, monkeypatch):
    """Its words are kept on a disk, which it would fill."""
    use(
        monkeypatch,
        wrapper(tmp_path, f'head -c 4000000 /dev/zero >&2; sleep 5; touch "{tmp_path}/later"'),
    )
    monkeypatch.setattr(build, "MOST_SAID", 2**20)
    for _ in range(2):
        with pytest.raises(BuildError, match="wrapped-cc said far too much"):
            answer()
    assert not (tmp_path / "later").exists()
    assert not list(cache.glob("build-*"))


@pytest.mark.usefixtures("soon")
def test_an_interrupt_ends_the_compiler(cache, tmp_path, monkeypatch):
    started = tmp_path / "started"
    use(monkeypatch, wrapper(tmp_path, f'echo $$ > "{started}"; exec sleep 600'))

    def interrupted(self, timeout=None):
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        answer()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_several_threads_build_the_same(cache, tmp_path, monkeypatch):
    """A lock that one thread holds is one that another waits for."""
    log = counting(tmp_path, monkeypatch)
    answers = []
    started = [threading.Thread(target=lambda: answers.append(answer())) for _ in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert answers == [42] * 8
    assert runs(log) == 1


# ---------------------------------------------------------------- size


def test_the_least_recently_used_kernels_go(cache, monkeypatch):
    sources = [SOURCE.replace("42", str(number)) for number in range(4)]
    paths = []
    for number, source in enumerate(sources[:3]):
        answer(source)
        (new,) = {*cache.glob("*.so")} - {*paths}
        paths.append(new)
        os.utime(new, (1000 + number, 1000 + number))
    assert answer(sources[0]) == 0  # used just now, and so no longer the oldest
    assert paths[0].stat().st_mtime > 1e6
    monkeypatch.setattr(kernel_cache, "LARGEST", int(3.5 * paths[0].stat().st_size))
    assert answer(sources[3]) == 3
    assert [path.exists() for path in paths] == [True, False, True]


def test_the_newest_kernel_stays_whatever_its_size(cache, monkeypatch):
    monkeypatch.setattr(kernel_cache, "LARGEST", 1)
    answer()
    assert answer(SOURCE.replace("42", "43")) == 43
    assert len(list(cache.glob("*.so"))) == 1


def test_what_killed_builds_left_goes(cache):
    answer()
    old, new = cache / "build-old", cache / "build-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "kernel.c").write_text(SOURCE)
    os.utime(old, (1000, 1000))
    answer(SOURCE.replace("42", "43"))
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(("size", "stays"), [(900_000, True), (1_100_000, False)])
def test_what_a_compiler_keeps_is_bounded_too(cache, monkeypatch, size, stays):
    monkeypatch.setattr(kernel_cache, "LARGEST", 1_000_000)
    (cache / "zig" / "o").mkdir(parents=True)
    (cache / "zig" / "o" / "crt.o").write_bytes(bytes(size))
    cache.chmod(0o700)
    answer()
    assert (cache / "zig").exists() == stays


def test_what_a_compiler_keeps_stays_while_one_builds(cache, monkeypatch):
    monkeypatch.setattr(kernel_cache, "LARGEST", 1)
    for folder in ("zig", "build-new"):
        (cache / folder).mkdir(parents=True)
        (cache / folder / "crt.o").write_text("an object")
    cache.chmod(0o700)
    answer()
    assert (cache / "zig").exists()


def test_doctor_cleans(cache, capsys):
    assert run(["doctor", "--clean"]) == 0
    answer()
    (cache / "zig" / "o").mkdir(parents=True)
    (cache / "zig" / "o" / "crt.o").write_text("an object")
    (cache / "not ours.txt").write_text("kept")
    capsys.readouterr()
    assert run(["doctor", "--clean"]) == 0
    assert capsys.readouterr().out.startswith("Removed 1 kernels, ")
    assert {path.suffix for path in cache.iterdir()} == {".lock", ".txt"}
    assert answer(SOURCE.replace("42", "44")) == 44


def test_doctor_cleans_nothing_of_a_strangers(cache, capsys):
    cache.mkdir()
    cache.chmod(0o777)
    (cache / "a.so").write_text("")
    assert run(["doctor", "--clean"]) == 2
    assert "cannot be cleaned: other users can write" in capsys.readouterr().err
    assert (cache / "a.so").exists()


# ---------------------------------------------------------------- the compiler's name and words


def test_a_cc_with_spaces_and_quotes(cache, tmp_path, monkeypatch):
    folder = tmp_path / "my tools"
    folder.mkdir()
    path = wrapper(folder, f'echo "$1" > "{tmp_path}/first"', "c c")
    for text in (f'"{path}" "-DX=a b"', f"'{path}' -DX=a\\ b"):
        use(monkeypatch, text)
        assert build.compiler() == (str(path), "-DX=a b")
        assert answer(f"{SOURCE}// {text}\n") == 42
        assert (tmp_path / "first").read_text() == "-DX=a b\n"
    use(monkeypatch, path)  # a path with spaces, without quotes
    assert build.compiler() == (str(path),)
    assert answer() == 42


@pytest.mark.parametrize("text", ["'unclosed", "no-such-compiler -x", "  ", "''"])
def test_a_cc_that_names_nothing(cache, monkeypatch, text):
    use(monkeypatch, text)
    assert build.compiler() == ("cc",)
    assert diagnosis.compiler() == f"cc (CC is {text!r}, which cannot be started)"
    assert answer() == 42


def test_a_compiler_that_is_gone(cache, tmp_path, monkeypatch):
    path = wrapper(tmp_path, "")
    use(monkeypatch, path)
    assert build.compiler() == (str(path),)
    path.unlink()
    with pytest.raises(BuildError, match="wrapped-cc cannot be used: No such file"):
        answer()
    path = wrapper(tmp_path, "")
    use(monkeypatch, path)
    assert answer() == 42
    path.write_text("#!/no/such/shell\n")
    with pytest.raises(BuildError, match="wrapped-cc cannot be started: No such file"):
        answer(SOURCE.replace("42", "43"))


def test_a_compiler_that_prints_no_utf8(cache, tmp_path, monkeypatch):
    use(monkeypatch, wrapper(tmp_path, r"printf 'na\357ve \033[31m\377 caf\351\n' >&2"))
    assert answer() == 42
    use(monkeypatch, wrapper(tmp_path, r"printf 'caf\351 \033[31m' >&2; exit 1"))
    with pytest.raises(BuildError, match=r"failed with status 1: caf\ufffd \\x1b\[31m$"):
        answer(SOURCE.replace("42", "43"))


@pytest.mark.skipif(threads.pool() is None, reason="torch has no OpenMP pool here")
def test_a_space_in_the_path_of_openmp(tmp_path):
    """As where torch lies in "Program Files": the library is found by its whole path."""
    (source, *_) = threads._loaded()
    for name in ("a b", "c  (deleted) d", "e\nf"):
        folder = tmp_path / name
        folder.mkdir()
        path = folder / "libgomp-test.so.1"
        path.write_bytes(Path(source).read_bytes())
        ctypes.CDLL(str(path))
        assert str(path) in threads._loaded()


def test_lines_that_are_no_library():
    maps = "7-8 r-xp 00 08:01 7   /a b/libgomp.so.1\n7-8 rw-p 00 00:00 0\n7-8 r 00 0:0 0 [vdso]\n"
    assert list(threads._paths(f"{maps}1-2 r 0 0 0   /x/mylibgomp.so\n")) == ["/a b/libgomp.so.1"]


def test_many_processes_that_wait_for_one(cache, tmp_path, monkeypatch):
    """Each of them gets the one kernel; nobody builds for himself."""
    log = tmp_path / "runs"
    use(monkeypatch, wrapper(tmp_path, f'echo run >> "{log}"; sleep 0.5'))
    processes = [start() for _ in range(200)]
    assert {p.communicate(timeout=300) for p in processes} == {("42\n", "")}
    assert runs(log) == 1
