"""A trained model of a comparison as one torch.nn.Module: what it is given is as the data have it.

Scales are in it, and what makes of the network's outputs what `predict` says.

| task | inputs | output |
|---|---|---|
| forecast | values [N, T]; past [N, T, P] and known [N, T + h, K], if any | forecast [N, h, 3] |
| classify | lengths [N]; numbers [N, T, F] and codes [N, T, C], if any | shares [N, O] |
| tag | the same | shares [N, T, O] |
| regress | the same | values [N] |
| text, bytes | codes [N, T] | shares [N, T, V] of each symbol as the next |
| frames | frames [N, T, D] | shares [N, T, D] of a one in each column of the next |

Legend: N series or sequences, T steps, h steps ahead, P and K columns beside, F columns of numbers,
C of symbols, O classes, V symbols, D columns. Values, numbers and columns beside are float64,
frames float32, codes and lengths int64. A code is a symbol's place in its column's sorted
vocabulary, from 1, and 0 for any other; of text its place in the alphabet, from 0. A forecast is
its 10 %, 50 % and 90 % quantiles. Missing values of series must have been filled in; missing
numbers are NaN.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from penstock.data.scaling import ROUNDING
from penstock.errors import ExportError
from penstock.models.carrying import FrameNetwork
from penstock.models.forecaster import Forecaster
from penstock.models.reader import SequenceNetwork
from penstock.models.symbols import SymbolNetwork

_N, _T = 3, 5  # of the inputs that a module is read with
_FREE = {0: "N", 1: "T"}


@dataclass(frozen=True)
class WholeModule:
    """A module, and what it is called with.

    Attributes:
        module: in evaluation.
        inputs: an example of each, by name, in the order of the module's arguments.
        free: of each input, the sizes that may be others, by dimension, as a letter or a sum.
        output: the name of what it gives.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    free: Mapping[str, Mapping[int, str]]
    output: str


def whole(network: nn.Module, about: Mapping[str, Any]) -> WholeModule:
    """Return a trained network with all that stands before and behind it.

    about: what the model's file says.

    Raises:
        ExportError: the model is a baseline.
    """
    for kind, make in _MAKERS.items():
        if isinstance(network, kind):
            return make(network, about["spec"])
    raise ExportError(
        f"{about['name']!r} is a baseline, and no recurrent network; name a cell's model: "
        "models/<cell>.json in the comparison's folder"
    )


class Scaled(nn.Module):
    """Columns [..., F] in the scale of training; 0 where missing, or constant in training."""

    def __init__(self, scales: Sequence[Mapping[str, float]]) -> None:
        super().__init__()
        self.mean: Tensor
        self.share: Tensor
        means, stds = ([scale[name] for scale in scales] for name in ("mean", "std"))
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float64))
        shares = [1 / std if std else 0.0 for std in stds]
        self.register_buffer("share", torch.tensor(shares, dtype=torch.float64))

    def forward(self, columns: Tensor) -> Tensor:
        """Return them as float32."""
        scaled = (columns - self.mean) * self.share
        return scaled.nan_to_num(nan=0.0).float()


class WholeSeries(nn.Module):
    """Forecasts beyond the end of series, each scaled by all its values."""

    def __init__(self, network: Forecaster, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.context = network, spec["context"]
        self.past, self.known = Scaled(spec["past"]), Scaled(spec["known"])

    def forward(
        self, values: Tensor, past: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Return the quantiles [N, h, 3]."""
        mean, std = values.mean(1, keepdim=True), values.std(1, correction=0, keepdim=True)
        varies = std > ROUNDING * values.abs().amax(1, keepdim=True)
        scaled = (values - mean) / torch.where(varies, std, 1.0)
        contexts = scaled[:, -self.context :]
        none = contexts.new_zeros(*contexts.shape, 0, dtype=torch.float32)
        ahead = self.network.at_once(
            contexts,
            none if past is None else self.past(past[:, -self.context :]),
            none if known is None
            else self.known(known[:, -self.context - self.network.horizon :]),
        )  # fmt: skip
        return ahead * torch.where(varies, std, 0.0)[..., None] + mean[..., None]


class WholeSequences(nn.Module):
    """What is predicted of sequences, or of their steps."""

    def __init__(self, network: SequenceNetwork, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.scale = network, spec.get("scale")
        self.scaled = Scaled(spec["encoding"]["scales"])

    def forward(
        self, lengths: Tensor, numbers: Tensor | None = None, codes: Tensor | None = None
    ) -> Tensor:
        """Return the classes' shares [N, O] or [N, T, O], or the numbers [N]."""
        given = next(one for one in (numbers, codes) if one is not None)
        rows, steps = given.shape[:2]
        outputs: Tensor = self.network(
            given.new_zeros(rows, steps, 0, dtype=torch.float32)
            if numbers is None else self.scaled(numbers),
            given.new_zeros(rows, steps, 0, dtype=torch.int64) if codes is None else codes,
            lengths,
        )  # fmt: skip
        if self.scale is None:
            return outputs.softmax(-1)
        values: Tensor = outputs[:, 0].double() * self.scale["std"] + self.scale["mean"]
        return values


class WholeText(nn.Module):
    """The shares of what comes after each symbol."""

    def __init__(self, network: SymbolNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        """Return them, [N, T, V]."""
        return self.network.read(codes, None)[0].softmax(-1)


class WholeFrames(nn.Module):
    """The shares of a one in each column of what comes after each frame."""

    def __init__(self, network: FrameNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Return them, [N, T, D]."""
        return self.network.read(frames, None)[0].sigmoid()


def _forecast(network: Forecaster, spec: Mapping[str, Any]) -> WholeModule:
    horizon, T = spec["horizon"], spec["context"] + _T
    inputs, free = {"values": torch.zeros(_N, T)}, {"values": _FREE}
    if P := len(spec["past"]):
        inputs["past"], free["past"] = torch.zeros(_N, T, P), _FREE
    if K := len(spec["known"]):
        inputs["known"] = torch.zeros(_N, T + horizon, K)
        free["known"] = {0: "N", 1: f"T + {horizon}"}
    doubles = {name: one.double() for name, one in inputs.items()}
    return WholeModule(WholeSeries(network, spec), doubles, free, "forecast")


def _labelled(network: SequenceNetwork, spec: Mapping[str, Any]) -> WholeModule:
    encoding, inputs = spec["encoding"], {"lengths": torch.full((_N,), _T)}
    if F := len(encoding["scales"]):
        inputs["numbers"] = torch.zeros(_N, _T, F, dtype=torch.float64)
    if C := len(encoding["vocabularies"]):
        inputs["codes"] = torch.zeros(_N, _T, C, dtype=torch.int64)
    free = dict.fromkeys(inputs, _FREE) | {"lengths": {0: "N"}}
    output = "values" if "scale" in spec else "shares"
    return WholeModule(WholeSequences(network, spec), inputs, free, output)


def _text(network: SymbolNetwork, _: Mapping[str, Any]) -> WholeModule:
    codes = torch.zeros(_N, _T, dtype=torch.int64)
    return WholeModule(WholeText(network), {"codes": codes}, {"codes": _FREE}, "shares")


def _frames(network: FrameNetwork, spec: Mapping[str, Any]) -> WholeModule:
    frames = torch.zeros(_N, _T, len(spec["columns"]))
    return WholeModule(WholeFrames(network), {"frames": frames}, {"frames": _FREE}, "shares")


_Maker = Callable[[Any, Mapping[str, Any]], WholeModule]
_MAKERS: Mapping[type[nn.Module], _Maker] = {
    FrameNetwork: _frames,
    SymbolNetwork: _text,
    Forecaster: _forecast,
    SequenceNetwork: _labelled,  # the first two are of this class too
}
