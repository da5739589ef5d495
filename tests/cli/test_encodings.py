"""Output that is no UTF-8 loses signs, not the command; so does a pipe that is closed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from penstock.cli import main
for command in sys.argv[2:]:
    sys.argv = ["penstock", *command.split()]
    try:
        main.main()
    except SystemExit as ended:
        assert ended.code == int(command.startswith("report")) * 2, (command, ended.code)
"""
COMMANDS = ["cells", "cells --json", "explain lstm", "explain lstm --latex", "show lstm --stage c",
            "doctor", "compare --help", "report nowhere-ψ"]  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "C"])
def test_every_sign_is_lost_alone(encoding: str, tmp_path: Path) -> None:
    """Through main, which a console script calls; piped."""
    told = {"PYTHONIOENCODING": encoding}
    if encoding == "C":
        told = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", SCRIPT, "", *COMMANDS]
    env = {**os.environ, **told}
    done = subprocess.run(command, capture_output=True, check=False, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"i = ?(W_i x + U_i h" in done.stdout  # σ


def test_a_full_device_is_one_line() -> None:
    script = "import sys; from penstock.cli.main import main; sys.argv[1:] = ['--help']; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"penstock: the output: No space left on device")
    assert done.stderr.count(b"\n") == 1


def test_an_output_that_is_closed() -> None:
    script = "import sys; from penstock.cli.main import main; sys.argv[1:] = ['--version']; main()"
    command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, script]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
