"""A trained model as values: what stands around its recurrent layers, for every format.

Legend: I features that the layers read, F numbers, C columns of symbols, O outputs, h steps ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from penstock.data.labelled.encoding import Encoding
from penstock.data.scaling import Scale
from penstock.data.series import Columns
from penstock.errors import ExportError
from penstock.exporters.written import WrittenStack, write_layer
from penstock.models.forecaster import QUANTILES, Forecaster
from penstock.models.reader import SequenceNetwork


@dataclass(frozen=True)
class Numbers:
    """Inputs that are numbers: (x − mean) · factor, and 0 where x is missing.

    Attributes:
        names: of the columns.
        mean, factor: [F], float64; the factor is 1 / std, 0 for a column that was constant in
            training.
    """

    names: tuple[str, ...]
    mean: Tensor
    factor: Tensor


@dataclass(frozen=True)
class Symbols:
    """A column of symbols, embedded.

    Attributes:
        name: of the column.
        words: what each code stands for.
        unknown: the code of any other symbol.
        table: [codes, width], the embeddings.
    """

    name: str
    words: tuple[str, ...]
    unknown: int
    table: Tensor


@dataclass(frozen=True)
class Head:
    """The linear map after the layers, W o + b: W [O, ·], b [O]."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Reader:
    """A model that reads sequences, of labels, text or frames.

    The layers read the numbers, then the embeddings, column by column.

    Attributes:
        task, name: of the model.
        network: the recurrent layers.
        numbers: inputs, None where there are none.
        symbols: columns of symbols.
        head: after each step, or after the last.
        every_step: which of the two.
        gives: "shares" (softmax), "log shares", "chances" (σ, each on its own), "value" (scaled
            back by `scale`).
        outputs: the name of each output, in order.
        scale: of the label, where that is a number.
    """

    task: str
    name: str
    network: WrittenStack
    numbers: Numbers | None
    symbols: tuple[Symbols, ...]
    head: Head
    every_step: bool
    gives: str
    outputs: tuple[str, ...]
    scale: Scale | None = None


@dataclass(frozen=True)
class Forecasting:
    """A model that forecasts series; see `penstock.models.forecaster`.

    Attributes:
        name: of the model.
        network: the recurrent layers, which read y_t − y_T, tanh y_t, past, known.
        head: from the last output to the changes [h·Q]; of each output ahead where columns are
            known, [Q].
        context: the values that a series must have.
        read: the last ones of them, which the layers read.
        horizon: h.
        past, known: the columns beside, None where there are none.
        widening: [h], by which the outer quantiles are moved outward.
    """

    name: str
    network: WrittenStack
    head: Head
    context: int
    read: int
    horizon: int
    past: Numbers | None
    known: Numbers | None
    widening: Tensor

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Return which quantiles are forecast."""
        return QUANTILES


Whole = Reader | Forecasting
_GIVES = {
    "classify": "shares", "regress": "value", "tag": "log shares",
    "text": "log shares", "bytes": "log shares", "frames": "chances",
}  # fmt: skip


def is_model(module: Any) -> bool:
    """Return whether something is a model that `penstock.load` gave."""
    about = getattr(module, "about", None)
    return isinstance(about, dict) and isinstance(getattr(module, "network", None), nn.Module)


def describe(model: Any) -> Whole:
    """Return a trained model as values.

    Raises:
        ExportError: it is a baseline, or of a task that no format has.
    """
    name, network = model.about["name"], model.network
    task, spec = model.about["task"], model.about["spec"]
    if isinstance(network, Forecaster):
        return _forecasting(name, network, spec)
    if not isinstance(network, SequenceNetwork):
        raise ExportError(
            f"{name} is a baseline ({type(network).__name__}), with no recurrent layers to export; "
            'give the model of a cell, such as penstock.load(folder, "gru")'
        )
    if task not in _GIVES:
        raise ExportError(
            f"no format has models of the task {task}; export model.network.recurrent"
        )
    numbers, symbols, outputs = _INPUTS.get(task, _labelled)(network, spec)
    scale = Scale(**spec["scale"]) if "scale" in spec else None
    return Reader(
        task, name, write_layer(network.recurrent), numbers, symbols, _head(network.head),
        network.every_step, _GIVES[task], outputs, scale,
    )  # fmt: skip


_Inputs = tuple[Numbers | None, tuple[Symbols, ...], tuple[str, ...]]


def _labelled(network: SequenceNetwork, spec: dict[str, Any]) -> _Inputs:
    encoding, layout = Encoding.of_record(spec["encoding"]), spec["layout"]
    symbols = tuple(
        Symbols(name, ("any other", *words), 0, _table(network, c))
        for c, (name, words) in enumerate(
            zip(layout["symbols"], encoding.vocabularies, strict=True)
        )
    )
    numbers = _numbers(layout["numbers"], encoding.scales)
    return numbers, symbols, tuple(spec.get("classes", (str(layout["label"]),)))


def _numbers(names: Sequence[str], scales: Sequence[Scale]) -> Numbers | None:
    if not scales:
        return None
    mean = torch.tensor([s.mean for s in scales], dtype=torch.float64)
    factor = torch.tensor([1 / s.std if s.std else 0.0 for s in scales], dtype=torch.float64)
    return Numbers(tuple(names), mean, factor)


def _text(network: SequenceNetwork, spec: dict[str, Any]) -> _Inputs:
    words = (*(f"U+{code:04X}" for code in spec["alphabet"]), "any other")
    return None, (Symbols("symbol", words, len(words) - 1, _table(network, 0)),), words


def _bytes(network: SequenceNetwork, spec: dict[str, Any]) -> _Inputs:
    words = (*(f"0x{code:02X}" for code in spec["alphabet"]), "any other")
    return None, (Symbols("byte", words, len(words) - 1, _table(network, 0)),), words


def _frames(network: SequenceNetwork, spec: dict[str, Any]) -> _Inputs:  # noqa: ARG001
    columns = tuple(spec["columns"])
    zeros = torch.zeros(len(columns), dtype=torch.float64)
    return Numbers(columns, zeros, zeros + 1), (), columns


_INPUTS = {"text": _text, "bytes": _bytes, "frames": _frames}


def _table(network: SequenceNetwork, column: int) -> Tensor:
    embedding = network.embeddings[column]
    assert isinstance(embedding, nn.Embedding)
    return embedding.weight.detach()


def _head(head: nn.Linear) -> Head:
    return Head(head.weight.detach(), head.bias.detach())


def _forecasting(name: str, network: Forecaster, spec: dict[str, Any]) -> Forecasting:
    context, columns = spec["context"], Columns(**spec["columns"])
    past, known = ([Scale(**s) for s in spec[one]] for one in ("past", "known"))
    return Forecasting(
        name,
        write_layer(network.recurrent),
        _head(network.head),
        context,
        min(context, network.context or context),
        network.horizon,
        _numbers(columns.spread(columns.beside), past),
        _numbers(columns.spread(columns.known), known),
        network.widening.detach(),
    )
