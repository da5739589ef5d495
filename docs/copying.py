"""Writes the copy problem as a file for `penstock compare`.

`python docs/copying.py copy.csv` writes 400 sequences of 200 steps: eight of eight symbols, blanks,
and at the end a ? for each symbol to repeat. The steps before have no label, so they never count.
"""

import argparse
from pathlib import Path

import polars as pl
import torch
from experiments.problems import copying

SYMBOLS = "abcdefgh"


def table(T: int = 200, B: int = 400, length: int = 8) -> pl.DataFrame:
    """Return B sequences of T steps, each step a row: id, symbol, label."""
    torch.manual_seed(0)
    x, y = copying(T, B, length, len(SYMBOLS))
    seen, wanted = x.argmax(dim=-1).T.flatten().tolist(), y.T.flatten().tolist()
    return pl.DataFrame(
        {
            "id": [f"s{row}" for row in range(B) for _ in range(T)],
            "symbol": [f"{SYMBOLS}_?"[code] for code in seen],
            "label": [SYMBOLS[code] if code >= 0 else None for code in wanted],
        }
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    table().write_csv(parser.parse_args().file)
