"""Stand-alone C99: two files that need a compiler and libm, and nothing else.

`net.c` and `net.h` hold a network one step at a time: no memory is allocated, nothing is shared but
constants, so that any number of states may run at once. A step's graph becomes products of
matrices, and a loop over units for what stands between two of them.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from penstock import atomic
from penstock.errors import ArgumentError, ExportError
from penstock.exporters.c.arrays import Pool
from penstock.exporters.c.files import Function, Source, code, header, identifier
from penstock.exporters.c.function import Body
from penstock.exporters.c.loss import measure
from penstock.exporters.c.network import State, states_of, steps_of
from penstock.exporters.c.schedule import schedule
from penstock.exporters.written import Written, write_layer
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
        module: a `penstock.Recurrent`.
        path: of the source; the header, and the file of weights, have its name with ".h" and
            ".weights".
        example: an input [T, B, I] (or as the layer takes it) on which the loss of int8 is
            measured; 100 steps of numbers drawn from N(0, 1) where None.
        weights: "constant", in the source, or "separate", in a file of their own.
        int8: store matrices as int8 with a scale a row, and print the loss in accuracy.

    Raises:
        ArgumentError: an option has another value, or the path's name is none for C.
        ExportError: the network cannot run step by step.
    """
    if weights not in ("constant", "separate"):
        raise ArgumentError(f'weights is {weights!r}; it must be "constant" or "separate"')
    if not isinstance(module, Recurrent):
        raise ExportError(
            f"a {type(module).__name__} has no recurrent equations to print; give a "
            "penstock.Recurrent, or a model that penstock.load gave"
        )
    network = write_layer(module)
    prefix = identifier(path)
    title = [f"{module}"]
    loss = None
    if int8:
        loss = measure(
            steps_of(network), _initial(network), network.input_size, _time_first(network, example)
        )
        title.append(str(loss))
    source = _source(network, prefix, tuple(title), weights == "separate", int8)
    _write_files(source, path)
    if loss is not None:
        print(f"{path.name}: {loss}")


def _source(
    network: Written, prefix: str, title: tuple[str, ...], separate: bool, int8: bool
) -> Source:
    states, pool = states_of(network), Pool(prefix)
    places = {"x": "x"} | {state.name: f"s->{state.name}" for state in states}
    body = Body(schedule(steps_of(network)), places, pool, int8)
    step = Function(
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
    return Source(prefix, title, sizes, states, functions, pool, separate, body.scratch)


def reset(states: tuple[State, ...], pool: Pool) -> Function:
    """Return the function that sets all states to where a sequence begins."""
    lines = []
    for state in states:
        value = "0.0f"
        if state.initial is not None and state.initial.any():
            value = f"{pool.add(state.initial, f'initial {state.title} [{state.width}]')}[j]"
        lines.append(f"for (int j = 0; j < {state.width}; ++j) s->{state.name}[j] = {value};")
    return Function("reset", (), "Begin a new sequence.", tuple(lines))


def _initial(network: Written) -> dict[str, Tensor]:
    """Return where each state begins."""
    zero = torch.zeros
    return {s.name: zero(s.width) if s.initial is None else s.initial for s in states_of(network)}


def _time_first(network: Written, example: Any) -> Tensor | None:
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


def _write_files(source: Source, path: Path) -> None:
    """Write the source, the header and the weights, the source last."""
    if source.separate:
        atomic.write(path.with_suffix(".weights"), source.pool.file())
    atomic.write(path.with_suffix(".h"), header(source, path.stem))
    atomic.write(path, code(source, path.stem))
