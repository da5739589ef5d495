"""The checks: what might be wrong with a comparison, looked for without being asked.

Each is a function with a code, a name, and a docstring that says when it fires and what to do; it
gives a sentence for each thing it finds. `--skip-check NAME` switches one off, by name or code.
Where it has nothing to look at it raises `NotApplicable`, and says why: that is not a pass.

A new one is a function with `@check("P014", "its-name")` in a module of this package. So files tell
which checks there are, and torch, which takes seconds, is imported where they are run.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from penstock.errors import ArgumentError, nearest


def find_checks(words: Iterable[str]) -> set[str]:
    """Return the codes of checks told by name or code.

    Raises:
        ArgumentError: there is no such check; the message suggests the nearest ones.
    """
    codes = check_codes()
    known = {word: code for name, code in codes.items() for word in (name, code, code.lower())}
    for word in words:
        if word not in known:
            raise ArgumentError(f"unknown check {word!r}: {nearest(word, codes)}")
    return {known[word] for word in words}


@cache
def check_codes() -> dict[str, str]:
    """Return the code of each check by name, in the order of the codes; files are looked at."""
    entered = (
        _literals(decorator)
        for file in Path(__path__[0]).glob("*.py")
        for function in ast.parse(file.read_bytes()).body
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
    )
    return {name: code for code, name in sorted(filter(None, entered))}


def _literals(decorator: ast.expr) -> tuple[str, str] | None:
    """Return code and name in ``@check(code, name)``."""
    match decorator:
        case ast.Call(ast.Name("check"), [ast.Constant(str(code)), ast.Constant(str(name))]):
            return code, name
    return None
