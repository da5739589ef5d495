"""The checks: what might be wrong with a comparison, looked for without being asked.

Each is a function with a code, a name, and a docstring that says when it fires and what to do; it
gives a sentence for each thing it finds. `--skip-check NAME` switches one off, by name or code.
Where it has nothing to look at it raises `NotApplicable`, and says why: that is not a pass.

A new one is a function with `@check` in a module of this package.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable

from penstock.comparison.judging.checks.base import CHECKS, Case, Check, NotApplicable
from penstock.errors import ArgumentError, nearest
from penstock.record.results import Finding, Status

__all__ = ["Case", "checks", "find_checks", "run_checks"]


def checks() -> list[Check]:
    """Return every check in the order of the codes."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(CHECKS, key=lambda one: one.code)


def find_checks(names: Iterable[str]) -> set[str]:
    """Return the codes of checks told by name or code.

    Raises:
        ArgumentError: there is no such check; the message suggests the nearest ones.
    """
    known = {word: one.code for one in checks() for word in (one.name, one.code, one.code.lower())}
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"unknown check {name!r}: {nearest(name, [one.name for one in checks()])}"
            )
    return {known[name] for name in names}


def run_checks(case: Case, skip: Iterable[str] = ()) -> list[Finding]:
    """Return what each check found; `skip` holds codes."""
    return [_run(one, case, skipped=one.code in skip) for one in checks()]


def _run(one: Check, case: Case, *, skipped: bool) -> Finding:
    about = " ".join((inspect.getdoc(one.look) or "").split())
    status, messages, reason = ("skipped", [], "") if skipped else _looked(one, case)
    return Finding(
        code=one.code,
        name=one.name,
        status=status,
        grave=one.grave,
        spoken=one.spoken,
        about=about,
        messages=messages,
        reason=reason,
    )


def _looked(one: Check, case: Case) -> tuple[Status, list[str], str]:
    try:
        messages = list(one.look(case))
    except NotApplicable as why:
        return "not applicable", [], str(why)
    return ("fired" if messages else "silent"), messages, ""
