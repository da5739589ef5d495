"""`penstock doctor`: what runs on what here, and why not on something faster."""

from typing import Annotated

import typer

from penstock.cli import _terminal


def doctor(
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove all kernels from the cache, and do no more.")
    ] = False,
) -> None:
    """Say which backend runs each cell on this machine, and why not a faster one."""
    if clean:
        _clean()
        return
    import torch  # noqa: PLC0415  (takes seconds)

    from penstock import __version__, cells  # noqa: PLC0415
    from penstock.compiler import diagnosis  # noqa: PLC0415
    from penstock.layers.running import native  # noqa: PLC0415

    say = _terminal.say
    cuda = f"{torch.cuda.get_device_name()}" if torch.cuda.is_available() else "none"
    say(f"penstock {__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    say(f"C compiler    {diagnosis.compiler()}")
    say(f"kernel cache  {diagnosis.cache_state()}")
    say(f"threads       {diagnosis.thread_pool()}")
    say(f"CUDA device   {cuda}")
    say("")
    found = cells()
    width = max(map(len, found))
    for name, cell in found.items():
        on_cuda = "cuDNN" if native.has(cell) else "eager, because only cuDNN's cells have a kernel"
        say(f"{name:{width}}  CPU: {diagnosis.on_cpu(cell)};  CUDA: {on_cuda}")


def _clean() -> None:
    from penstock.compiler.runtime import cache  # noqa: PLC0415
    from penstock.errors import ArgumentError  # noqa: PLC0415

    try:
        folder = cache.prepared()
    except OSError as error:
        raise ArgumentError(f"the kernel cache cannot be cleaned: {error}") from None
    kernels, size = cache.clean(folder)
    _terminal.say(f"Removed {kernels} kernels, {size / 2**20:.1f} MiB, from {folder}")
