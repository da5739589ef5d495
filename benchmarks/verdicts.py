"""Two comparisons that README shows: python benchmarks/verdicts.py prints both, in minutes.

In one a cell wins beyond doubt, in the other no cell is worth it. Writes the picture of the first,
docs/brackets.svg, where kaleido is installed.
"""

import subprocess
import tempfile

COMMANDS = (
    "penstock compare brackets --seeds 3 --time 2m",
    "penstock compare sunspots",
)

if __name__ == "__main__":
    for command in COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"$ {command}", flush=True)
            subprocess.run([*command.split(), "--out", folder], check=True)
