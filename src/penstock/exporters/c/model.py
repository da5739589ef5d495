"""A trained model in C: what stands around its recurrent layers.

Legend: F numbers, I features that the layers read, O outputs, h steps ahead, Q quantiles.
"""

from collections.abc import Iterator, Sequence

import torch

from penstock.exporters.c.arrays import ArrayPool
from penstock.exporters.c.files import CFunction
from penstock.exporters.c.function import Body
from penstock.exporters.c.gather import gather
from penstock.exporters.c.network import State, add_step, states_of
from penstock.exporters.c.schedule import schedule
from penstock.exporters.c.values import GivenValue, Maker, StepValues
from penstock.exporters.whole import Numbers, Reader, Symbols
from penstock.exporters.written import WrittenStack

LAST = "last"  # a state: what the layers gave last, for what follows after all steps


def places_of(states: tuple[State, ...]) -> dict[str, str]:
    """Return how a function calls the states."""
    return {state.name: f"s->{state.name}" for state in states}


def with_last(network: WrittenStack) -> tuple[State, ...]:
    """Return the states, and what the layers gave last."""
    return (*states_of(network), State(LAST, "output of the last step", network.output_size, None))


def reader_states(model: Reader) -> tuple[State, ...]:
    """Return the states of a model that reads sequences."""
    return states_of(model.network) if model.every_step else with_last(model.network)


def reading(network: WrittenStack) -> StepValues:
    """Return a step of the layers whose output is kept as a state."""
    maker = Maker()
    output, states = add_step(maker, network, maker.add(GivenValue("x", network.input_size)))
    return gather(StepValues(tuple(maker.values), states | {LAST: output}, None))


def reader_functions(
    model: Reader, states: tuple[State, ...], pool: ArrayPool, int8: bool
) -> tuple[tuple[CFunction, ...], int]:
    """Return the functions of a model that reads sequences, and the stack that they take."""
    inputs, parameters = _inputs(model, pool), _parameters(model)
    places = places_of(states) | {"x": "in"}
    if model.every_step:
        maker = Maker()
        x = maker.add(GivenValue("x", model.network.input_size))
        output, new = add_step(maker, model.network, x)
        output = _after(maker, model, output)
        steps = gather(StepValues(tuple(maker.values), new, output))
    else:
        steps = reading(model.network)
    body = Body(schedule(steps), places, pool, int8)
    says = [*_says_inputs(model), *([_says_outputs(model)] if model.every_step else [])]
    given = (*parameters, *(["float *y"] if model.every_step else []))
    step = CFunction("step", given, "Take the next step. " + " ".join(says), (*inputs, *body.lines))
    scratch = body.scratch + model.network.input_size
    if model.every_step:
        return (step,), scratch
    maker = Maker()
    o = maker.add(GivenValue(LAST, model.network.output_size, is_state=True))
    end = _after(maker, model, o)
    after = Body(schedule(gather(StepValues(tuple(maker.values), {}, end))), places, pool, int8)
    says_end = f"After the last step, of which there must be one: {_says_outputs(model)}"
    finish = CFunction("finish", ("float *y",), says_end, tuple(after.lines), "const P_state *")
    return (step, finish), max(scratch, after.scratch)


def _after(maker: Maker, model: Reader, output: int) -> int:
    """Add the head, and what is made of its outputs."""
    z = maker.total([(output, model.head.weight)], model.head.bias)
    if model.gives == "chances":
        return maker.apply("sigmoid", z)
    if model.gives == "value":
        assert model.scale is not None
        scale = torch.tensor([model.scale.std, model.scale.mean], dtype=torch.float64)
        std, mean = map(maker.constant, scale)
        return maker.apply("add", maker.apply("mul", z, std), mean)
    moved = maker.apply("sub", z, maker.apply("amax", z))
    powers = maker.apply("exp", moved)
    total = maker.apply("sum", powers)
    if model.gives == "shares":
        return maker.apply("div", powers, total)
    return maker.apply("sub", moved, maker.apply("log", total))


def _parameters(model: Reader) -> tuple[str, ...]:
    if model.numbers is None and len(model.symbols) == 1:
        return ("int symbol",)
    numbers = ["const float *x"] if model.numbers else []
    return (*numbers, *(["const int *symbols"] if model.symbols else []))


def _inputs(model: Reader, pool: ArrayPool) -> Iterator[str]:
    """Yield the lines that lay out what the layers read."""
    place = 0
    yield f"float in[{model.network.input_size}];"
    if model.numbers is not None:
        place = len(model.numbers.names)
        yield from scaled(model.numbers, "x[j]", "in[j]", pool)
    one = model.numbers is None and len(model.symbols) == 1
    for c, column in enumerate(model.symbols):
        yield from _embedded(column, "symbol" if one else f"symbols[{c}]", place, pool)
        place += column.table.shape[1]


def scaled(numbers: Numbers, source: str, target: str, pool: ArrayPool) -> Iterator[str]:
    """Yield a loop over numbers: (x − mean) · factor, and 0 where that is NaN."""
    count = len(numbers.names)
    mean, factor = (
        pool.add(values, f"{what} of the numbers [{count}]")
        for values, what in ((numbers.mean, "mean"), (numbers.factor, "1 / deviation"))
    )
    yield f"for (int j = 0; j < {count}; ++j) {{"
    yield f"  const float v = ({source} - {mean}[j]) * {factor}[j];"
    yield f"  {target} = v != v ? 0.0f : v;"
    yield "}"


def _embedded(column: Symbols, code: str, place: int, pool: ArrayPool) -> Iterator[str]:
    codes, width = column.table.shape
    table = pool.add(column.table, f"embeddings of {column.name} [{codes}][{width}]")
    yield "{"
    yield f"  const int code = {code} < 0 || {code} >= {codes} ? {column.unknown} : {code};"
    target = f"in[{place} + j]" if place else "in[j]"
    yield f"  for (int j = 0; j < {width}; ++j) {target} = {table}[code * {width} + j];"
    yield "}"


def _says_inputs(model: Reader) -> list[str]:
    said = []
    if model.numbers is not None:
        said.append("x: the numbers in their own units, NaN where one is missing.")
    if model.symbols:
        said.append("Symbols are given by their codes; any other number is an unknown symbol.")
    return said


def _says_outputs(model: Reader) -> str:
    return {
        "shares": "y: the probability of each class.",
        "log shares": "y: the natural logarithm of each probability"
        + (" of what comes next." if model.task in ("text", "bytes") else " of this step's label."),
        "chances": "y: the probability of a one in each column of the next frame.",
        "value": "y: the number, in the label's own unit.",
    }[model.gives]


def reader_title(model: Reader) -> Iterator[str]:
    """Yield lines that say what the inputs and outputs are."""
    yield f"The model {model.name!r} of the task {model.task}."
    if model.numbers is not None:
        yield from listed("x", model.numbers.names)
    for place, column in enumerate(model.symbols):
        yield from listed(f"Codes of {column.name} (symbol {place})", column.words)
    yield from listed("y", model.outputs)


def listed(what: str, names: Sequence[str]) -> Iterator[str]:
    """Yield what stands at each place, in lines."""
    line = f"{what}:"
    for place, name in enumerate(names):
        word = f" {place} {''.join(c if c.isprintable() else '?' for c in name)};"
        if len(line) + len(word) > 96:
            yield line
            line = " "
        line += word
    yield line.rstrip(";")
