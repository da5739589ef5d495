"""`penstock doctor`: what runs on what here, and why not on something faster."""

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import terminal

if TYPE_CHECKING:
    from penstock.cells import Cell


def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Build the kernels of all cells, if not in the cache.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove all kernels from the cache, and do no more.")
    ] = False,
) -> None:
    """Say which backend runs each cell on this machine, and why not a faster one.

    Without --build no kernel is made: a cell is then called ready if its kernel is in the cache.
    """
    if clean:
        _clean()
        return
    import torch  # noqa: PLC0415  (takes seconds)

    from penstock import __version__, cells  # noqa: PLC0415
    from penstock.compiler import diagnosis  # noqa: PLC0415

    say = terminal.say
    cuda = f"{torch.cuda.get_device_name()}" if torch.cuda.is_available() else "none"
    say(f"penstock {__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    say(f"C compiler    {diagnosis.compiler()}")
    say(f"kernel cache  {diagnosis.cache_state()}")
    say(f"threads       {diagnosis.thread_pool()}")
    say(f"CUDA device   {cuda}")
    say("")
    known = cells()
    _show(known, _built(known) if build else {n: diagnosis.foreseen(c) for n, c in known.items()})
    if not build:
        say("\nA kernel is made when a cell runs first; penstock doctor --build makes all now.")


def _show(known: "dict[str, type[Cell]]", on_cpu: dict[str, str]) -> None:
    from penstock.layers.running import native  # noqa: PLC0415

    width = max(map(len, known))
    for name, cell in known.items():
        on_cuda = "cuDNN" if native.has(cell) else "eager, because only cuDNN's cells have a kernel"
        terminal.say(f"{name:{width}}  CPU: {on_cpu[name]};  CUDA: {on_cuda}")


def _built(known: "dict[str, type[Cell]]") -> dict[str, str]:
    """Return which backend runs each cell, by name, once its kernels are built."""
    from rich.progress import track  # noqa: PLC0415

    from penstock.compiler import diagnosis  # noqa: PLC0415

    console = terminal.console(error=True)
    bar = track(
        known.items(), "Building kernels", console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    return {name: diagnosis.on_cpu(cell) for name, cell in bar}


def _clean() -> None:
    from penstock.compiler.runtime import cache  # noqa: PLC0415
    from penstock.errors import ArgumentError  # noqa: PLC0415

    try:
        folder = cache.prepared()
    except OSError as error:
        raise ArgumentError(f"the kernel cache cannot be cleaned: {cache.reason(error)}") from None
    kernels, size = cache.clean(folder)
    terminal.say(f"Removed {kernels} kernels, {size / 2**20:.1f} MiB, from {folder}")
