"""How language models of characters and of bytes are kept, and how they go on writing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.following.text import Unit, encode, read_text
from penstock.errors import DataError
from penstock.models.symbols import SymbolNetwork
from penstock.record.checked import conform, same_length
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec, Evaluated, at_rest
from penstock.tasks.methods import Method

_CONTINUED = 200


class TextSpec(TypedDict):
    """The specification of a language model."""

    alphabet: list[int]
    start: list[float]


@dataclass(frozen=True)
class TextCodec(Codec):
    """How language models are kept, and how they go on writing.

    Attributes:
        unit: characters or bytes.
        methods: the type of each baseline.
    """

    unit: Unit
    methods: Mapping[str, type[Method]]

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: a sorted alphabet, and the share of each symbol."""
        conform(spec, TextSpec, "spec")
        alphabet, limit = spec["alphabet"], 0x110000 if self.unit == "character" else 256
        same_length("spec.start", spec["start"], [*alphabet, "any other"])
        if sorted({*alphabet}) != alphabet or not all(0 <= code < limit for code in alphabet):
            raise DataError(f"spec.alphabet is not of {self.unit}s, sorted")

    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return how many symbols there are."""
        return {"outputs": len(spec["start"])}

    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> SymbolNetwork:
        """Return an untrained `SymbolNetwork`."""
        start = spec["start"]
        return SymbolNetwork(cell, structure, 0, (len(start),), start, every_step=True)

    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return how the text may go on: step, symbol drawn (from a fixed seed), probability."""
        data, alphabet = read_text(source, self.unit), tuple(spec["alphabet"])
        drawn, shares = _continued(model, encode(data, alphabet), _CONTINUED)
        shown = [*(data.show(code) for code in alphabet), "\N{REPLACEMENT CHARACTER}"]
        frame = {
            "step": range(1, _CONTINUED + 1),
            self.unit: [shown[k] for k in drawn.tolist()],
            "probability": shares.numpy(),
        }
        return pl.DataFrame(frame), ()

    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return bits and perplexity over every symbol but the first, read in one pass."""
        data, alphabet = read_text(source, self.unit), tuple(spec["alphabet"])
        codes = encode(data, alphabet)
        if len(codes) < 2:
            raise DataError(
                f"{data.name} has fewer than two {self.unit}s; nothing is left to predict"
            )
        with at_rest(model):
            known = model.log_probabilities(codes[None], 0)[0]  # type: ignore[operator]
        unseen = int((codes == len(alphabet)).sum())
        why = f"{unseen} {self.unit}s are none that the model knows; to it they are all one"
        return scores(known, self.unit), (why,) if unseen else ()


def scores(predictions: Tensor, unit: Unit) -> dict[str, float]:
    """Return the metrics from ln p of each symbol; see `meanings_of`."""
    nats = -float(predictions.double().mean())
    return {
        f"bits per {unit}": nats / math.log(2),
        f"nats per {unit}": nats,
        "perplexity": math.exp(nats),
    }


def meanings_of(unit: Unit) -> dict[str, str]:
    """Return what each metric is, in words."""
    return {
        f"bits per {unit}": f"mean of −log₂ p, p the probability that was given to the {unit} that "
        "came, from those before it",
        f"nats per {unit}": "the same with natural logarithms: 0.693 times as many",
        "perplexity": f"2 to the power of the bits: among how many {unit}s that are equally likely "
        "it would be as hard to choose",
    }


def bits_of(predictions: Tensor) -> Tensor:
    """Return −log₂ p from ln p."""
    return -predictions.double() / math.log(2)


def _continued(model: nn.Module, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return `count` symbols drawn after codes [N], from a fixed seed, and their probabilities."""
    draw, state, symbols, shares = torch.Generator().manual_seed(0), None, [], []
    with at_rest(model):
        for _ in range(count):
            logits, state = model.follow(codes, state)  # type: ignore[operator]
            p = logits.softmax(dim=0)
            codes = torch.multinomial(p, 1, generator=draw)
            symbols.append(codes)
            shares.append(p[codes])
    return torch.cat(symbols), torch.cat(shares)
