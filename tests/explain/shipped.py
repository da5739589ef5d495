"""The shipped cells, found before any test defines one of the same name."""

from penstock.cells import cells

CELLS = {n: c for n, c in cells().items() if c.__module__.startswith("penstock.cells.")}
PLACED = [(n, low) for n, c in CELLS.items() for low in ((True, False) if c.below else (True,))]
"""Each as the lowest layer, and as an upper one where that differs."""
