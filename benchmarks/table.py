"""Print the README's table of speed from the figures that `speed.py` has written.

python benchmarks/table.py benchmarks/results/speed-20261127.json
"""

import json
import math
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def mean(ratios: Iterable[float]) -> str:
    """Return a geometric mean with the extremes."""
    ratios = list(ratios)
    middle = math.exp(statistics.fmean(map(math.log, ratios)))
    return f"{middle:.2f}× ({min(ratios):.2f} to {max(ratios):.2f})"


def beside(row: dict[str, Any], peer: str) -> float:
    """Return a peer's time of inference over ours."""
    return float(row["inference_ms"][peer] / row["inference_ms"]["penstock"])


def table(figures: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    rows = figures["layers"]["rows"]
    head = "threads", "training: torch.nn", "inference: torch.nn", "inference: onnxruntime"
    lines = [f"| | {' | '.join(head)} |", "|---" * 5 + "|"]
    for cell in dict.fromkeys(r["cell"] for r in rows):
        for threads in sorted({r["threads"] for r in rows}):
            own = [r for r in rows if r["cell"] == cell and r["threads"] == threads]
            shown = [
                mean(r["training_ratio"] for r in own),
                *(mean(beside(r, peer) for r in own) for peer in ("torch", "onnxruntime")),
            ]
            lines.append(f"| {cell} | {threads} | {' | '.join(shown)} |")
    return "\n".join([*lines, *_others(figures)])


def _others(figures: dict[str, Any]) -> list[str]:
    """Return the rows beside other peers: the loop in Python, and torch.nn's cells."""
    lines = []
    if "custom" in figures:
        loops = mean(r["loop"] for r in figures["custom"]["rows"] if "loop" in r)
        lines.append(f"| peephole LSTM, beside a loop in Python | 2 | {loops} | | |")
    for r in figures["one_step"]["rows"]:
        if r["H"] == 32:
            cell, runtime = (r[peer] / r["stream"] for peer in ("cell", "onnxruntime"))
            name = f"one step of {r['stream']:.1f} µs, {r['kind']}, H = 32, B = 1"
            lines.append(f"| {name} | 1 | | {cell:.1f}× | {runtime:.1f}× |")
    return lines


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
