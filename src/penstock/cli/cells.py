"""`penstock cells`: the cells there are."""

import inspect

import typer


def cells() -> None:
    """List the cells by name."""
    from penstock.cells import cells as find_cells  # noqa: PLC0415  (torch takes seconds)

    found = find_cells()
    width = max(map(len, found))
    for name, cell in found.items():
        typer.echo(f"{name:{width}}  {(inspect.getdoc(cell) or '').partition(chr(10))[0]}")
