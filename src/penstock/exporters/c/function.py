"""A schedule → the lines of a C function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from penstock.exporters.c.arrays import ArrayPool, number
from penstock.exporters.c.functions import SPELLED, is_call
from penstock.exporters.c.products import group, product_lines
from penstock.exporters.c.schedule import StepSchedule
from penstock.exporters.c.values import Applied, GivenValue, KnownValue, ProductSum

_LONG = 60  # letters of an expression that is written where it is read


@dataclass
class Body:
    """The lines of a function under construction.

    schedule: what it computes. places: how the C calls what is given, and each new state, by their
    names. pool: takes the numbers. int8: whether matrices are so. output: where the output goes.
    """

    schedule: StepSchedule
    places: Mapping[str, str]
    pool: ArrayPool
    int8: bool = False
    output: str = "y"
    lines: list[str] = field(default_factory=list)
    scratch: int = 0  # floats on the stack
    _names: dict[int, str] = field(default_factory=dict)  # of arrays, with a [j] to come
    _offsets: dict[int, int] = field(default_factory=dict)
    _states: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = self.schedule.steps
        self._states = {k: self.places[name] for name, k in steps.states.items()}
        for k, value in enumerate(steps.values):
            if isinstance(value, GivenValue):
                self._names[k] = self.places[value.name]
        for level in self.schedule.levels:
            for totals in level.products:
                self._products(totals)
            for k in level.reductions:
                self._reduction(k)
            for loop in level.loops:
                self._loop(loop)

    def _say(self, *lines: str) -> None:
        self.lines += lines

    def _array(self, k: int) -> str:
        """Return the array that a value lies in, from its first element on."""
        value = self.schedule.steps.values[k]
        if isinstance(value, KnownValue) and k not in self._names:
            self._names[k] = self.pool.add(value.values, f"vector [{value.width}]")
        offset = self._offsets.get(k, 0)
        return f"{self._names[k]} + {offset}" if offset else self._names[k]

    def _element(self, k: int) -> str:
        """Return a value's element in a loop over units."""
        value = self.schedule.steps.values[k]
        if isinstance(value, KnownValue) and value.literal and value.width == 1:
            return number(float(value.values))
        if isinstance(value, Applied) and value.rowwise:
            return self._names[k]
        self._array(k)
        offset = self._offsets.get(k, 0)
        if value.width == 1:
            return f"{self._names[k]}[{offset}]"
        return f"{self._names[k]}[j + {offset}]" if offset else f"{self._names[k]}[j]"

    def _products(self, totals: tuple[int, ...]) -> None:
        values, place = self.schedule.steps.values, 0
        name = f"a{totals[0]}"
        made = [v for k in totals if isinstance(v := values[k], ProductSum)]
        for k in totals:
            self._names[k], self._offsets[k] = name, place
            place += values[k].width
        sources = [_bracketed(self._array(arg)) for arg, _ in made[0].terms]
        self._say(*product_lines(group(name, made, sources), self.pool, self.int8))
        self.scratch += place * (2 if self.int8 else 1)

    def _reduction(self, k: int) -> None:
        value = self.schedule.steps.values[k]
        assert isinstance(value, Applied)
        width = self.schedule.steps.values[value.args[0]].width
        made = SPELLED[value.op].format(self._array(value.args[0]), width)
        self._say(f"const float r{k} = {made};")
        self._names[k] = f"r{k}"

    def _loop(self, loop: tuple[int, ...]) -> None:
        """Add a loop over the units of one width; new states are stored when all is read."""
        values, ends, lines = self.schedule.steps.values, list[str](), list[str]()
        width = values[loop[0]].width
        texts: dict[int, tuple[str, bool]] = {}
        users = self.schedule.steps.users()
        for k in loop:
            value = values[k]
            assert isinstance(value, Applied)
            text = self._expression(value, texts)
            texts[k] = text, is_call(value.op) or value.op == "copy"
            if target := self._target(k):
                name = f"v{k}"
                lines.append(f"const float {name} = {text};")
                ends.append(f"{target}[{'0' if width == 1 else 'j'}] = {name};")
                texts[k] = name, True
            elif not self._once(k, users, loop) or len(text) > _LONG:
                lines.append(f"const float v{k} = {text};")
                texts[k] = f"v{k}", True
        arrays = [k for k in loop if k in self.schedule.stored and k not in self._states]
        for k in arrays:
            self._say(f"float b{k}[{width}];")
            self.scratch += width
        for k in (k for k in loop if self._target(k)):
            self._names[k] = str(self._target(k))
        opening = "{" if width == 1 else f"for (int j = 0; j < {width}; ++j) {{"
        self._say(opening, *(f"  {line}" for line in [*lines, *ends]), "}")

    def _target(self, k: int) -> str | None:
        """Return the array that a loop's value is stored in, if any."""
        if k == self.schedule.steps.output:
            return self.output
        if k in self._states:
            return self._states[k]
        return f"b{k}" if k in self.schedule.stored else None

    def _once(self, k: int, users: list[list[int]], loop: tuple[int, ...]) -> bool:
        """Return whether a value is read once, in the same loop."""
        if len(users[k]) != 1 or users[k][0] not in loop:
            return False
        user = self.schedule.steps.values[users[k][0]]
        return isinstance(user, Applied) and user.args.count(k) == 1

    def _expression(self, value: Applied, texts: Mapping[int, tuple[str, bool]]) -> str:
        args = []
        for a in value.args:
            text, whole = texts.get(a) or (self._element(a), True)
            bare = whole or is_call(value.op) or value.op == "copy"
            args.append(text if bare else f"({text})")
        return SPELLED[value.op].format(*args)


def _bracketed(source: str) -> str:
    return f"({source})" if " " in source else source


def indented(lines: list[str], depth: int = 1) -> Iterator[str]:
    """Yield lines further to the right."""
    for line in lines:
        for one in line.split("\n"):
            yield f"{'  ' * depth}{one}" if one else one
