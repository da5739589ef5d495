"""A trained model looked into: gradients, memory, gates, and what pruning and clipping do."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.comparison.keeping.files import load_model
from penstock.data.files import Source
from penstock.data.series import Options
from penstock.errors import ArgumentError, DataError
from penstock.inspect.clipping import Descent, descend
from penstock.inspect.gates import trace
from penstock.inspect.gradients import Flow, find_layer, inputs_read, loss_flow, state_flow
from penstock.inspect.pruning import Pruned, pruning_curve
from penstock.inspect.span import Effects, input_effects
from penstock.layers.recurrent import Recurrent
from penstock.record.checked import Count, conform
from penstock.tasks import find_task
from penstock.tasks.task import Task

WINDOWS = 32  # of the test part, that gradients and effects are means over
_QUICK, _STEPS, _PROBES = 8, 256, 4  # windows, steps and products that a verdict looks at
Health = dict[str, float | None]
_BATCHES = 50  # of the training part, whose gradients' norms are taken


@dataclass(frozen=True)
class Inspection:
    """What was found in a model.

    Attributes:
        about: the model's JSON file.
        data: the name of the data.
        metric: of the pruning curve, on all test windows; lower is better.
        window: the test window whose gates are traced.
        flow, loss, effects: means over the first test windows.
        gates: for each layer, name → [T, S] over the window.
        pruned: the pruning curve.
        descent: the norms of the gradients of training batches, at the model's weights.
    """

    about: dict[str, Any]
    data: str
    metric: str
    window: int
    flow: Flow
    loss: Flow
    effects: Effects
    gates: list[dict[str, Tensor]]
    pruned: tuple[Pruned, ...]
    descent: Descent


def inspect_model(path: Path, source: Source, window: int = 0) -> Inspection:
    """Look into a model that a comparison left.

    Args:
        path: of the model, or of the comparison's folder.
        source: the data that it learned from; their test windows are what it is shown.
        window: the test window whose gates are traced.

    Raises:
        ModelFileError: there is no such model.
        DataError: the data are not those that the model learned from, or cannot be used.
        ArgumentError: there is no such window.
    """
    network, about = load_model(path, of_cell=True)
    if about["kind"] != "cell":
        raise ArgumentError(f"{path} is a baseline; inspect looks into cells")
    network.eval()
    task = _bind(about, source)
    if not 0 <= window < task.problem.size("test"):
        raise ArgumentError(
            f"window is {window}; there are test windows 0 to {task.problem.size('test')}"
        )
    batch, layer, x, lengths = _shown(task, network, WINDOWS)
    metric = task.problem.metrics[0]
    return Inspection(
        about,
        source.name,
        metric,
        window,
        state_flow(layer, x, lengths=lengths),
        loss_flow(network, lambda n: task.problem.loss(n, batch)),
        input_effects(layer, x, lengths=lengths),
        _gates(network, task, window),
        pruning_curve(
            network, lambda n: task.problem.measure(task.problem.predict(n)).metrics[metric]
        ),
        descend(network, task.problem.loss, _training_batches(task)),
    )


def diagnose(task: Task, network: nn.Module) -> Health:
    """Return memory span and growth of the gradient, over a few test windows, for a verdict.

    Keys: span, the steps after which an input's effect is under 1 % (None: more than were looked
    at); steps, how many were looked at; growth, of ‖∂h_T/∂h_t‖ a step back (None: unknown).

    Raises:
        ArithmeticError: the effect of an input is not a number.
    """
    network.eval()
    _, layer, x, lengths = _shown(task, network, _QUICK)
    x = x[:, :_STEPS]
    lengths = None if lengths is None else lengths.clamp(max=_STEPS)
    influence = input_effects(layer, x, lengths=lengths, probes=_PROBES)
    growth = state_flow(layer, x, lengths=lengths, probes=_PROBES).growth
    if any(map(math.isnan, influence.effects)):
        raise ArithmeticError("the effect of an input is not a number")
    span = influence.span(0.01)
    return {
        "span": span if math.isfinite(span) else None,
        "steps": len(influence.effects) - 1,
        "growth": growth if math.isfinite(growth) else None,
    }


def _shown(
    task: Task, network: nn.Module, windows: int
) -> tuple[tuple[Tensor, ...], Recurrent, Tensor, Tensor | None]:
    """Return the first test windows, the layer, and what it reads of them with its lengths."""
    batch = task.problem.batch("test", torch.arange(min(windows, task.problem.size("test"))))
    read = inputs_read(network, lambda n: task.problem.loss(n, batch))
    return batch, find_layer(network), *read


class _SequenceColumns(TypedDict, total=False):
    targets: list[str]
    label: str | None
    id: str | list[str] | None
    time: str | list[str] | None
    known: list[str]
    past: list[str]
    static: list[str]
    frequency: str | None
    date_format: str | None
    elapsed: str | None
    categories: dict[str, list[str]]


def _bind(about: dict[str, Any], source: Source) -> Task:
    """Return the task on the data, if they make the network that the model has."""
    columns, kind = about["columns"], find_task(about["task"])
    conform(columns, _SequenceColumns, "columns")
    horizon = about["settings"].get("horizon")
    conform(horizon, Count | None, "settings.horizon")
    label = columns.get("label")
    options = Options.of_record({"id": None, "time": None, **columns})
    options = replace(options, task=kind.name, target=(label,) if label else options.target)
    task = kind.prepare(kind.read(source, options), horizon)
    if json.loads(json.dumps(task.spec)) != about["spec"]:
        raise DataError(
            f"{source.name} are not the data that this model learned from; inspect takes those, "
            "as it looks at their test windows"
        )
    return task


def _gates(network: nn.Module, task: Task, window: int) -> list[dict[str, Tensor]]:
    batch = task.problem.batch("test", torch.tensor([window]))
    x, lengths = inputs_read(network, lambda n: task.problem.loss(n, batch))
    shown = x if lengths is None else x[:, : int(lengths[0])]  # networks are batch first
    layers = trace(find_layer(network), shown)
    return [{name: value[:, 0] for name, value in layer.items()} for layer in layers]


def _training_batches(task: Task) -> list[tuple[Tensor, ...]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [
            task.problem.batch("train", index) for index in task.problem.draw(_BATCHES, WINDOWS)
        ]
