"""The checks, looked up and run."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable

from penstock.comparison.judging import checks as package
from penstock.comparison.judging.checks.base import CHECKS, Case, Check, NotApplicable
from penstock.record.results import Finding, Status


def checks() -> list[Check]:
    """Return every check in the order of the codes."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(CHECKS, key=lambda one: one.code)


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
