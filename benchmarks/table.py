"""Print the README's table of speed from the figures that `speed.py` has written.

python benchmarks/table.py benchmarks/results/speed-20261121.json
"""

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any


def mean(ratios: list[float]) -> str:
    """Return a geometric mean with the extremes."""
    middle = math.exp(statistics.fmean(map(math.log, ratios)))
    return f"{middle:.1f}× ({min(ratios):.1f} to {max(ratios):.1f})"


def table(figures: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    rows = figures["layers"]["rows"]
    lines = ["| | training | inference |", "|---|---|---|"]
    for cell in dict.fromkeys(r["cell"] for r in rows):
        own = [r for r in rows if r["cell"] == cell]
        ratios = ([r[k] for r in own] for k in ("training_ratio", "inference_ratio"))
        lines.append(f"| {cell} | {' | '.join(map(mean, ratios))} |")
    custom = [r for r in figures["custom"]["rows"] if "loop" in r]
    loop = mean([r["loop"] for r in custom])
    lines.append(f"| peephole LSTM, beside a loop in Python | {loop} | |")
    for r in figures["one_step"]["rows"]:
        if r["H"] == 32:
            ratio = f"{r['cell'] / r['stream']:.1f}× ({r['stream']:.1f} µs)"
            lines.append(f"| one step, H = 32, beside nn.{r['kind']}Cell | | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
