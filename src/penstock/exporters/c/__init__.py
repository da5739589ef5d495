"""Stand-alone C99: two files that need a compiler and libm, and nothing else.

`net.c` and `net.h` hold a network one step at a time: no memory is allocated, nothing is shared but
constants, so that any number of states may run at once. A step's graph becomes products of
matrices, and a loop over units for what stands between two of them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from penstock import atomic
from penstock.errors import ArgumentError, ExportError
from penstock.exporters.c.arrays import ArrayPool
from penstock.exporters.c.files import CFunction, CSource, code, header, identifier
from penstock.exporters.c.forecast import forecast_functions, forecast_title
from penstock.exporters.c.function import Body
from penstock.exporters.c.loss import measure
from penstock.exporters.c.model import (
    places_of,
    reader_functions,
    reader_states,
    reader_title,
    with_last,
)
from penstock.exporters.c.network import State, states_of, steps_of
from penstock.exporters.c.schedule import schedule
from penstock.exporters.whole import Forecasting, Whole, describe, is_model
from penstock.exporters.written import WrittenStack, write_layer
from penstock.layers.recurrent import Recurrent

SUFFIX = ".c"


def write(
    module: Any,
    path: Path,
    example: Any = None,
    *,
    weights: str = "constant",
    int8: bool = False,
) -> None:
    """Write a network as C99: its source, and its header beside it.

    Args:
        module: a `penstock.Recurrent`, or a trained model that `penstock.load` gave.
        path: of the source; the header, and the file of weights, have its name with ".h" and
            ".weights".
        example: what the recurrent layers read [T, B, I] (or as they take it), on which the loss of
            int8 is measured; 100 steps of numbers drawn from N(0, 1) where None.
        weights: "constant", in the source, or "separate", in a file of their own.
        int8: store matrices as int8 with a scale a row, and print the loss in accuracy.

    Raises:
        ArgumentError: an option has another value, or the path's name is none for C.
        ExportError: the network cannot run step by step, or is no network of cells.
    """
    if weights not in ("constant", "separate"):
        raise ArgumentError(f'weights is {weights!r}; it must be "constant" or "separate"')
    if is_model(module):
        whole = describe(module)
        network = whole.network
    elif isinstance(module, Recurrent):
        whole, network = None, write_layer(module)
    else:
        raise ExportError(
            f"a {type(module).__name__} has no recurrent equations to print; give a "
            "penstock.Recurrent, or a model that penstock.load gave"
        )
    loss, title, separate = None, list[str](), weights == "separate"
    if int8:
        begin, x = _initial(network), _time_first(network, example)
        loss = measure(steps_of(network), begin, network.input_size, x)
        title.append(str(loss) if whole is None else f"In the recurrent layers, {loss}")
    pool = ArrayPool(identifier(path))
    if whole is None:
        source = _of_layer(network, pool, (f"{module}", *title), separate, int8)
    else:
        source = _of_model(whole, pool, tuple(title), separate, int8)
    _write_files(source, path)
    if loss is not None:
        print(f"{path.name}: {loss}")


def _of_layer(
    network: WrittenStack, pool: ArrayPool, title: tuple[str, ...], separate: bool, int8: bool
) -> CSource:
    states = states_of(network)
    body = Body(schedule(steps_of(network)), places_of(states) | {"x": "x"}, pool, int8)
    step = CFunction(
        "step",
        ("const float *x", "float *y"),
        "Take the next input x and give the output y; y may be x.",
        tuple(body.lines),
    )
    sizes = (
        ("INPUTS", network.input_size, "floats of x"),
        ("OUTPUTS", network.output_size, "floats of y"),
    )
    functions = (reset(states, pool), step)
    return CSource(pool.prefix, title, sizes, states, functions, pool, separate, body.scratch)


def _of_model(
    model: Whole, pool: ArrayPool, title: tuple[str, ...], separate: bool, int8: bool
) -> CSource:
    sizes: list[tuple[str, int, str]]
    if isinstance(model, Forecasting):
        states, about = with_last(model.network), forecast_title(model)
        functions, scratch = forecast_functions(model, states, pool, int8, separate)
        sizes = [
            ("CONTEXT", model.context, "values that a series must have"),
            ("HORIZON", model.horizon, "steps ahead"),
            ("QUANTILES", len(model.quantiles), "of each step ahead"),
        ]
        begin = replace(reset(states, pool), private=True)
    else:
        states, about = reader_states(model), reader_title(model)
        functions, scratch = reader_functions(model, states, pool, int8)
        sizes = [("OUTPUTS", len(model.outputs), "floats of y")]
        if model.numbers is not None:
            sizes.append(("INPUTS", len(model.numbers.names), "floats of x"))
        if model.symbols:
            sizes.append(("SYMBOLS", len(model.symbols), "codes of a step"))
        begin = reset(states, pool)
    title = (*about, *title)
    functions = (begin, *functions)
    return CSource(pool.prefix, title, tuple(sizes), states, functions, pool, separate, scratch)


def reset(states: tuple[State, ...], pool: ArrayPool) -> CFunction:
    """Return the function that sets all states to where a sequence begins."""
    lines = []
    for state in states:
        value = "0.0f"
        if state.initial is not None and state.initial.any():
            value = f"{pool.add(state.initial, f'initial {state.title} [{state.width}]')}[j]"
        lines.append(f"for (int j = 0; j < {state.width}; ++j) s->{state.name}[j] = {value};")
    return CFunction("reset", (), "Begin a new sequence.", tuple(lines))


def _initial(network: WrittenStack) -> dict[str, Tensor]:
    """Return where each state begins."""
    zero = torch.zeros
    return {
        s.name: zero(s.width) if s.initial is None else s.initial.cpu() for s in states_of(network)
    }


def _time_first(network: WrittenStack, example: Any) -> Tensor | None:
    """Return an example as [T, B, I]; raises if it is no input of the network."""
    if example is None:
        return None
    size = network.input_size
    if not isinstance(example, Tensor) or example.ndim not in (2, 3) or example.shape[-1] != size:
        what = list(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise ArgumentError(f"the example is {what}; give a tensor with {size} features a step")
    if example.ndim == 2:
        return example[:, None]
    return example.transpose(0, 1) if network.batch_first else example


def _write_files(source: CSource, path: Path) -> None:
    """Write the source, the header and the weights, the source last."""
    contents: dict[str, str | bytes] = {".h": header(source, path.stem)}
    if source.separate:
        contents[".weights"] = source.pool.file()
    contents[SUFFIX] = code(source, path.stem)
    for suffix, content in contents.items():
        atomic.write(path.with_suffix(suffix), content)
