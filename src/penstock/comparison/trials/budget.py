"""Equal budgets: the width that gives each cell the same number of parameters; FLOPs per step."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from penstock.cells import Cell
from penstock.layers.recurrent import Recurrent
from penstock.layers.running.function import backend
from penstock.tasks.task import Task

PARAMETERS = 4000
_WIDEST = 4096


def count_parameters(network: nn.Module) -> int:
    """Return the number of learned values."""
    return sum(parameter.numel() for parameter in network.parameters())


def choose_width(task: Task, cell: str | type[Cell], parameters: int) -> int:
    """Return the width at which a cell's network comes nearest to a number of parameters.

    What the task's data need beside them is added.
    """
    parameters += task.codec.extra_parameters(task.spec)

    def count(width: int) -> int:
        with torch.device("meta"):
            return count_parameters(task.network(cell, width))

    low, high = 1, 2
    while count(high) < parameters and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - parameters))


def flops_per_step(network: nn.Module) -> int:
    """Return the FLOPs of matrix products in one step of the recurrent layers, one sequence.

    Counted by torch's FlopCounterMode as a run of two steps less a run of one, which leaves out
    what happens once a sequence. A multiply-add counts 2; elementwise work is not counted. The
    definition is that of `penstock.compiler.ir.flops`, and the tests hold the two equal; torch
    counts here because a user's cell may run eager, without a graph.
    """
    layers = [m for m in network.modules() if isinstance(m, Recurrent)]
    return sum(_flops(layer, 2) - _flops(layer, 1) for layer in layers)


def _flops(layer: Recurrent, steps: int) -> int:
    shape = (1, steps) if layer.batch_first else (steps, 1)
    x = torch.zeros(*shape, layer.input_size)
    with torch.no_grad(), backend("eager"):
        layer(x)  # a first call also traces the cell, which is not to be counted
        with FlopCounterMode(display=False) as counter:
            layer(x)
    return int(counter.get_total_flops())
