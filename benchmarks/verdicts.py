"""The two comparisons that README shows: python benchmarks/verdicts.py runs both, in minutes.

In one a cell wins beyond doubt, in the other no cell is worth it. Prints what each says, and writes
it to benchmarks/results/verdicts.txt, without what a machine's speed decides.
"""

import subprocess
import tempfile
from pathlib import Path

COMMANDS = (
    "penstock compare adding --cells rnn,lstm,gru --size small --steps 1500 --rates 0.01",
    "penstock compare sunspots",
)
FILE = Path(__file__).parent / "results" / "verdicts.txt"


def said(command: str) -> str:
    """Return a command and what it prints to standard output."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command.split(), "--out", folder], check=True, stdout=subprocess.PIPE, text=True
        )
        lines = done.stdout.replace(folder, "penstock-compare").splitlines()
        return "\n".join([f"$ {command}", *(line.rstrip() for line in lines), ""])


if __name__ == "__main__":
    FILE.write_text("\n".join(map(said, COMMANDS)), "utf-8")
    print(FILE.read_text("utf-8"), end="")
