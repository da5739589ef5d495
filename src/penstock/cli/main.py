"""The console script. Finds the subcommands, and turns mistakes into messages and exit codes.

Exit codes: 0 done; 1 a disk or memory that is full, or the like; 2 a mistake in the arguments or
the data (one to three lines on stderr); 130 interrupted.
"""

import errno
import gc
import importlib
import io
import os
import pkgutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from penstock import __version__, cli
from penstock.cli import terminal
from penstock.cli.started import process_start
from penstock.errors import PenstockError

# Typer carries a click of its own in some versions; the base of its errors is found through it.
_UsageError = typer.BadParameter.__base__
_INTERRUPTED = 130
_ALLOCATIONS = 50_000  # between two collections: imports make many objects, and no garbage
_LONGEST = 2000  # signs of a message: it may quote a file
_AGAIN = "and give the command again: what is done is kept"
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"; make room, {_AGAIN}"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR), f"; move it away, {_AGAIN}"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"; let it be changed, {_AGAIN}"),
}


def main() -> None:
    """Run the command line and exit."""
    if sys.stdout is None:  # closed by whoever started this
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sign that it has not is lost, no more
    gc.set_threshold(_ALLOCATIONS)
    code = run(sys.argv[1:], process_start())
    gc.freeze()  # else all that there is, torch too, is looked through at exit: over a second
    sys.exit(code)


def run(arguments: Sequence[str], began: float | None = None) -> int:
    """Run a command line and return the exit code.

    It began at `began`, by `time.monotonic()`, from where a time given to it counts; now, if None.
    """
    began = time.monotonic() if began is None else began
    try:
        code = _app()(list(arguments), prog_name="penstock", standalone_mode=False, obj=began) or 0
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except PenstockError as error:
        return _fail(str(error))
    except BrokenPipeError:  # whoever read the output has read enough
        sys.stdout = None
        return 1
    except OSError as error:
        told = f"{error.filename or 'the output'}: {error.strerror or error}"
        return _fail(told + _ADVICE.get(error.errno or 0, ""), 1)
    except MemoryError:
        return _fail("the memory does not suffice; give less data", 1)
    except Exception as error:
        if _UsageError is None or not isinstance(error, _UsageError):
            raise
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        return _fail(f"{message}; see penstock --help")
    if code == _INTERRUPTED:  # some versions of Typer return it, some raise Abort
        _fail("interrupted; the same command goes on from here")
    return code


def _fail(message: str, code: int = 2) -> int:
    terminal.say(f"penstock: {message[:_LONGEST]}", error=True)
    return code


def _app() -> typer.Typer:
    """Return the application with all subcommands."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Recurrent networks: which cell for my data, and why.",
    )
    app.callback(invoke_without_command=True)(_options)
    for name, module in subcommands().items():
        app.command(name)(getattr(importlib.import_module(module), name))
    return app


def subcommands() -> dict[str, str]:
    """Return the module of each subcommand by name: each public one in a wing beside this one."""
    modules = (
        module.name for module in pkgutil.walk_packages(cli.__path__, f"{cli.__name__}.")
        if not module.ispkg and module.name.count(".") > __name__.count(".")
    )  # fmt: skip
    named = {module.rpartition(".")[2]: module for module in modules}
    return {name: named[name] for name in sorted(named) if not name.startswith("_")}


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
