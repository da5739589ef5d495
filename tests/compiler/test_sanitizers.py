"""The generated C under AddressSanitizer and UndefinedBehaviorSanitizer, over odd shapes.

The kernels are built with both, and run in a process of their own into which the sanitizers are
loaded first, so that torch's memory is theirs too. Not optimised, for the time that takes.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sanitized.py")
FLAGS = "-g -O0 -fsanitize=address,undefined -fno-sanitize-recover=undefined"


def runtime(name):
    """Return the path of a sanitizer's library, or skip the test."""
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc")
    asked = ["gcc", f"-print-file-name=lib{name}.so"]
    path = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip(f"gcc has no lib{name}")
    return path


@pytest.fixture
def sanitized(tmp_path):
    """Return what runs the script under the sanitizers."""
    compiler = tmp_path / "sanitizing-cc"
    compiler.write_text(f'#!/bin/sh\nunset LD_PRELOAD\nexec gcc "$@" {FLAGS}\n')
    compiler.chmod(0o755)
    env = os.environ | {
        "CC": str(compiler),
        "PENSTOCK_CACHE": str(tmp_path / "cache"),
        "LD_PRELOAD": f"{runtime('asan')}:{runtime('ubsan')}",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }

    def run(*arguments):
        command = [sys.executable, str(SCRIPT), *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    return run


SOME = ["gru_reset_before", "projected_lstm"]  # a chain of products; a width of its own
# and: states of the lower layer; a transposed matrix; one number for all units; two widths; no
# product; four states
MORE = [*SOME, "depth_gated_lstm", "antisymmetric_rnn", "fast_grnn", "scrn", "lru", "slstm"]


@pytest.mark.parametrize(("dtype", "names"), [("float32", MORE), ("float64", SOME)])
def test_clean(sanitized, dtype, names):
    """Masks and directions; one thread, and two by rows and by columns."""
    done = sanitized(dtype, *names)
    assert done.stdout == "clean\n", done.stderr[-3000:]


def test_wrong_calls_reach_no_kernel(sanitized):
    """Device, dtype, shape, layout and memory of weights, arguments, gradients and saved values."""
    done = sanitized("wrong")
    assert done.stdout == "clean\n", done.stderr[-3000:]


def test_an_overrun_is_seen(sanitized):
    """The test above would be worth little if the sanitizers were not there."""
    done = sanitized("overrun")
    assert done.stdout == ""
    assert "heap-buffer-overflow" in done.stderr
