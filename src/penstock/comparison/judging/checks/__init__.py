"""The checks: what might be wrong with a comparison, looked for without being asked.

Each is a function with a code, a name, and a docstring that says when it fires and what to do; it
gives a sentence for each thing it finds. `--skip-check NAME` switches one off, by name or code.

    P001 worse-than-naive    P005 leak             P009 too-little-data
    P002 seeds-disagree      P006 time-overlap     P010 chance-level
    P003 trials-lost         P007 edge-of-range    P011 step-limit
    P004 duplicates          P008 constant-target

A new one is a function with `@check` in a module of this package.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from penstock.comparison.judging.checks.base import CHECKS, Case, Check
from penstock.errors import ArgumentError, nearest
from penstock.record.results import Finding, Verdict

__all__ = ["Case", "cautioned", "checks", "find_checks", "run_checks"]


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
    if skipped:
        return Finding(one.code, one.name, "skipped", one.grave, about, [])
    messages = list(one.look(case))
    status: Literal["fired", "silent"] = "fired" if messages else "silent"
    return Finding(one.code, one.name, status, one.grave, about, messages)


def cautioned(verdict: Verdict, findings: Sequence[Finding]) -> Verdict:
    """Return the verdict, led by what puts the whole comparison in doubt, and with chance named."""
    fired = [one for one in findings if one.status == "fired"]
    grave = [
        f"Do not trust this comparison yet: {message} ({one.code} {one.name})."
        for one in fired
        if one.grave
        for message in one.messages
    ]
    chance = [f"{m}." for one in fired if one.name == "chance-level" for m in one.messages]
    head, *reasons = verdict.sentences
    return replace(verdict, sentences=[*grave, head, *chance, *reasons])
