"""The console script. Finds the subcommands, and turns mistakes into messages and exit codes.

Exit codes: 0 done; 2 a mistake in the arguments or the data (one to three lines on stderr);
130 interrupted.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from penstock import __version__, cli
from penstock.cli import _terminal
from penstock.errors import PenstockError

# Typer carries a click of its own in some versions; the base of its errors is found through it.
_UsageError = typer.BadParameter.__base__
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code."""
    try:
        code = _app()(list(arguments), prog_name="penstock", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except PenstockError as error:
        return _fail(str(error))
    except Exception as error:
        if _UsageError is None or not isinstance(error, _UsageError):
            raise
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        return _fail(f"{message}; see penstock --help")
    if code == _INTERRUPTED:  # some versions of Typer return it, some raise Abort
        _fail("interrupted; the same command goes on from here")
    return code


def _fail(message: str) -> int:
    _terminal.say(f"penstock: {message}", error=True)
    return 2


def _app() -> typer.Typer:
    """Return the application: a subcommand for each public module beside this one."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Recurrent networks: which cell for my data, and why.",
    )
    app.callback(invoke_without_command=True)(_options)
    for module in pkgutil.iter_modules(cli.__path__):
        if module.name != "main" and not module.name.startswith("_"):
            found = importlib.import_module(f"{cli.__name__}.{module.name}")
            app.command(module.name)(getattr(found, module.name))
    return app


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
