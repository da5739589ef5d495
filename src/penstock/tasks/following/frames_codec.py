"""How models of frames are kept, and how they go on."""

from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.following.frames import Frames, read_frames
from penstock.data.series import Options
from penstock.errors import DataError
from penstock.models.reader import Inputs, SequenceNetwork
from penstock.record.checked import conform, same_length
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec, Evaluated, at_rest
from penstock.tasks.methods import Method

MEANINGS = {
    "NLL per frame": "mean over frames of −Σ ln p of each of its cells, in nats",
    "frame accuracy": "TP / (TP + FP + FN) over all cells, p > ½ counting as a one",
}


class ColumnFrequencies(Method):
    """The share of ones in each column; weights: logits [D]."""

    kind = "blind"
    shapes: ClassVar = {"logits": ("outputs",)}
    logits: Tensor

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return the logits [B, T, D]."""
        return self.logits.expand(*inputs.numbers.shape[:2], -1)


class LastFrame(Method):
    """The last frame repeated, smoothed: weights: off and on, the logits of a one after each."""

    kind = "naive"
    shapes: ClassVar = {"off": (), "on": ()}
    off: Tensor
    on: Tensor

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return the logits [B, T, D]."""
        return torch.where(inputs.numbers == 1, self.on, self.off)


class KeyMarkov(Method):
    """A Markov chain for each column: weights: off and on [D], the logits of a one after each."""

    kind = "classical"
    shapes: ClassVar = {"off": ("outputs",), "on": ("outputs",)}
    off: Tensor
    on: Tensor

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return the logits [B, T, D]."""
        return torch.where(inputs.numbers == 1, self.on, self.off)


class OnLastFrame(Method):
    """Logistic regression on the last frame: logits = W x + b; W [D, D], b [D]."""

    kind = "classical"
    shapes: ClassVar = {"weight": ("outputs", "outputs"), "bias": ("outputs",)}
    weight: Tensor
    bias: Tensor

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return the logits [B, T, D]."""
        return inputs.numbers.double() @ self.weight.T + self.bias


class FramesSpec(TypedDict):
    """The specification of a model of frames."""

    columns: list[str]
    id: str | None
    start: list[float]


class FramesCodec(Codec):
    """How models of frames are kept, and how they go on."""

    methods: Mapping[str, type[Method]] = {
        "column frequencies": ColumnFrequencies,
        "last frame": LastFrame,
        "Markov chain of each column": KeyMarkov,
        "logistic on the last frame": OnLastFrame,
    }

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, each with a logit."""
        conform(spec, FramesSpec, "spec")
        same_length("spec.start", spec["start"], spec["columns"])

    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return how many columns there are."""
        return {"outputs": len(spec["columns"])}

    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> SequenceNetwork:
        """Return an untrained network with an output a column, at every step."""
        columns = len(spec["columns"])
        return SequenceNetwork(cell, structure, columns, (), spec["start"], every_step=True)

    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id, and the probability of a one in each column of the frame that comes next."""
        data = _read(spec, source)
        logits = []
        with at_rest(model):
            for begin, end in zip(data.offsets[:-1], data.offsets[1:], strict=True):
                values = torch.from_numpy(data.values[begin:end]).float()[None]
                logits.append(model.outputs(inputs_of(values))[0, -1])  # type: ignore[operator]
            shares = torch.stack(logits).sigmoid().numpy()
        columns = {f"p_{name}": shares[:, k] for k, name in enumerate(spec["columns"])}
        return pl.DataFrame({"id": data.ids, **columns}), ()

    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return the metrics over all frames but the first of each sequence, read in one pass."""
        data = _read(spec, source)
        if data.offsets[-1] == len(data.ids):
            raise DataError(f"{data.name}: no sequence has two frames; nothing is left to predict")
        shares, following = [], []
        with at_rest(model):
            for begin, end in zip(data.offsets[:-1], data.offsets[1:], strict=True):
                values = torch.from_numpy(data.values[begin:end]).float()
                logits = model.outputs(inputs_of(values[None]))[0, :-1]  # type: ignore[operator]
                shares.append(logits.double().sigmoid())
                following.append(values[1:].double())
        return scores(torch.cat(shares), torch.cat(following)), ()


def scores(predictions: Tensor, target: Tensor) -> dict[str, float]:
    """Return the metrics of probabilities [M, D]; see `MEANINGS`."""
    ones = predictions > 0.5
    hit, either = (ones & (target == 1)).sum(), (ones | (target == 1)).sum()
    return {
        "NLL per frame": float(frame_losses(predictions, target).sum(dim=1).mean()),
        "frame accuracy": float(hit / either) if either else 1.0,
    }


def frame_losses(predictions: Tensor, target: Tensor) -> Tensor:
    """Return −ln p of each cell [M, D]."""
    return binary_cross_entropy(predictions, target, reduction="none")


def _read(spec: dict[str, Any], source: Source) -> Frames:
    """Return the frames of other data.

    Raises:
        DataError: they are none, or have another number of columns.
    """
    target = () if source.arrays is not None else tuple(spec["columns"])
    data = read_frames(source, Options(target=target, id=spec["id"]))
    if len(data.columns) != len(spec["columns"]):
        raise DataError(
            f"{source.name} has {len(data.columns)} columns; the model learned from "
            f"{len(spec['columns'])}"
        )
    return data


def inputs_of(values: Tensor) -> Inputs:
    """Return frames [B, T, D] as a model takes them."""
    return Inputs(values, no_symbols(values))


def no_symbols(values: Tensor) -> Tensor:
    """Return the symbols of frames, which have none."""
    return torch.empty(*values.shape[:2], 0, device=values.device)
