"""`penstock doctor`: what runs on what here, and why not on something faster."""

import typer


def doctor() -> None:
    """Say which backend runs each cell on this machine, and why not a faster one."""
    import torch  # noqa: PLC0415  (takes seconds)

    from penstock import __version__, cells  # noqa: PLC0415
    from penstock.compiler import build, diagnosis  # noqa: PLC0415
    from penstock.layers import cudnn  # noqa: PLC0415

    cuda = f"{torch.cuda.get_device_name()}" if torch.cuda.is_available() else "none"
    typer.echo(
        f"penstock {__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    typer.echo(f"C compiler    {' '.join(build.compiler() or ()) or build.NO_COMPILER}")
    typer.echo(f"kernel cache  {build.cache_folder()} ({diagnosis.cache_state()})")
    typer.echo(f"threads       {diagnosis.thread_pool()}")
    typer.echo(f"CUDA device   {cuda}")
    typer.echo("")
    found = cells()
    width = max(map(len, found))
    for name, cell in found.items():
        on_cuda = "cuDNN" if cudnn.has(cell) else "eager, because only cuDNN's cells have a kernel"
        typer.echo(f"{name:{width}}  CPU: {diagnosis.on_cpu(cell)};  CUDA: {on_cuda}")
