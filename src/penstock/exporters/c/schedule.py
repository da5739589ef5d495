"""Values → in which order the C computes them: products, reductions, loops over units.

Products and reductions read whole rows, so they wait until those are there; between them, what is
elementwise runs in one loop a width. Of the reset-before GRU::

    level 1   products   r, z ← x and h
              loop       r = σ(…)    r ⊙ h
    level 2   product    n ← x and r ⊙ h
              loop       z = σ(…)  n = tanh(…)  h = (1 − z) ⊙ n + z ⊙ h

Products are made as early as they can be, so that those which read the same are one; what is
elementwise as late, so that little lies in memory between two loops. A new state is written over
the old one, unless something reads the old one later: then it is put away, and copied in the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from penstock.exporters.c.values import (
    Applied,
    GivenValue,
    KnownValue,
    ProductSum,
    StepValues,
    Value,
    arguments,
)


@dataclass(frozen=True)
class StepLevel:
    """What is done between two waits for whole rows.

    Attributes:
        products: totals that read the same values, made together, by group.
        reductions: of rows, to one number each.
        loops: elementwise values, by width; those of width 1 first.
    """

    products: tuple[tuple[int, ...], ...]
    reductions: tuple[int, ...]
    loops: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class StepSchedule:
    """The order of a step.

    Attributes:
        steps: the values, to which copies of new states may have been added.
        levels: in order.
        stored: the values that lie in memory between two parts.
    """

    steps: StepValues
    levels: tuple[StepLevel, ...]
    stored: frozenset[int]


def schedule(steps: StepValues) -> StepSchedule:
    """Return the order in which a step's values are computed."""
    steps = _with_ends(steps)
    early = _early(steps)
    last = max(early, default=0)
    late = _late(steps, early, last)
    values, states = [*steps.values], dict(steps.states)
    for name, k in steps.states.items():
        if _is_read_after(steps, late, name, k):
            values.append(Applied("copy", (k,), values[k].width))
            late.append(last + 1)
            states[name] = len(values) - 1
    steps = replace(steps, values=tuple(values), states=states)
    levels = tuple(_level(steps.values, late, n) for n in range(last + 3))
    return StepSchedule(steps, levels, frozenset(_stored(steps, levels)))


def waits(value: Value) -> bool:
    """Return whether a value reads whole rows."""
    return isinstance(value, ProductSum) or (isinstance(value, Applied) and value.rowwise)


def _loops(value: Value) -> bool:
    return isinstance(value, Applied) and not value.rowwise


def _with_ends(steps: StepValues) -> StepValues:
    """Return the step with a copy where a new state, or the output, is not made by a loop."""
    values, states = [*steps.values], dict(steps.states)

    def copied(k: int) -> int:
        values.append(Applied("copy", (k,), values[k].width))
        return len(values) - 1

    taken: set[int] = set()
    for name, k in states.items():
        if not _loops(values[k]) or k in taken:
            states[name] = copied(k)
        taken.add(states[name])
    output = None if steps.output is None else copied(steps.output)
    return StepValues(tuple(values), states, output)


def _early(steps: StepValues) -> list[int]:
    """Return the first level at which each value can be there."""
    levels: list[int] = []
    for value in steps.values:
        given = arguments(value)
        wait = waits(value)
        ready = (
            levels[a] + (wait and not isinstance(steps.values[a], GivenValue | KnownValue))
            for a in given
        )
        levels.append(max(ready, default=0))
    return levels


def _late(steps: StepValues, early: list[int], last: int) -> list[int]:
    """Return the level of each value: of a loop's, the last at which it can be made.

    What reads an old state comes before the copies of new ones, at level `last` + 1, and the output
    after all else, so that the caller's y may be the caller's x.
    """
    values, users, levels = steps.values, steps.users(), [*early]
    ends = {*steps.states.values()}
    for k in reversed(range(len(values))):
        if _loops(values[k]):
            reads_state = any(_is_state(values[a]) for a in arguments(values[k]))
            most = last if k in ends or reads_state else last + 2
            needed = (levels[u] - waits(values[u]) for u in users[k])
            levels[k] = min(most, min(needed, default=most))
    return levels


def _is_state(value: Value) -> bool:
    return isinstance(value, GivenValue) and value.is_state


def _is_read_after(steps: StepValues, levels: list[int], state: str, new: int) -> bool:
    """Return whether an old state is still read once the loop of the new one has run."""

    def turn(k: int) -> tuple[int, int]:
        return levels[k], 0 if waits(steps.values[k]) else steps.values[k].width

    olds = {k for k, v in enumerate(steps.values) if isinstance(v, GivenValue) and v.name == state}
    readers = (k for k, value in enumerate(steps.values) if olds & {*arguments(value)})
    return any(turn(k) > turn(new) for k in readers)


def _level(values: tuple[Value, ...], levels: list[int], level: int) -> StepLevel:
    here = [k for k, n in enumerate(levels) if n == level]
    products: dict[tuple[int, ...], list[int]] = {}
    loops: dict[int, list[int]] = {}
    for k in here:
        value = values[k]
        if isinstance(value, ProductSum):
            products.setdefault(arguments(value), []).append(k)
        elif _loops(value):
            loops.setdefault(value.width, []).append(k)
    return StepLevel(
        tuple(tuple(p) for p in products.values()),
        tuple(k for k in here if waits(values[k]) and not isinstance(values[k], ProductSum)),
        tuple(tuple(loops[width]) for width in sorted(loops)),
    )


def _stored(steps: StepValues, levels: Iterable[StepLevel]) -> set[int]:
    """Return the values that are read elsewhere than in the loop that makes them."""
    home = {
        k: (n, w) for n, level in enumerate(levels) for w, ks in enumerate(level.loops) for k in ks
    }
    stored = set()
    for k, value in enumerate(steps.values):
        for a in arguments(value):
            if _loops(steps.values[a]) and home.get(k) != home[a]:
                stored.add(a)
    return stored
