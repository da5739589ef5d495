"""Language models: each character of a text from those before it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypedDict

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.cells import Cell
from penstock.conform import conform, same_length
from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.splits import Split, split
from penstock.data.text import Text, Unit, encode, read_text
from penstock.errors import DataError
from penstock.tasks.base import Measured, Task, spread
from penstock.tasks.evidence import Evidence
from penstock.tasks.labelled import group_means, no_horizon
from penstock.tasks.ngram import ngram
from penstock.tasks.reader import edge_parameters
from penstock.tasks.speller import Speller, continued, log_probabilities

_STEPS = 64  # symbols of a training window: the gradient goes back that far
_VALIDATION_STEPS = 256
_VALIDATION_WINDOWS = 200
_MOST_TESTED = 100_000  # symbols at the beginning of the test part
_STREAMS = 32  # stretches of the test part read side by side
_ORDERS = (1, 2, 3, 5)
_MOST_SYMBOLS = 1000
_PROFILE, _EXAMPLE_STEPS = 10, 60
_CONTINUED = 200


class _Spec(TypedDict):
    alphabet: list[int]
    start: list[float]


@dataclass(frozen=True)
class Characters(Task):
    """A language model of characters.

    The text is split in time. Training reads it in streams, the state carried from window to
    window. Metrics: bits per character, the mean of −log₂ p, and perplexity, 2 to that power.

    Attributes:
        data: the text.
        alphabet: the symbols of the training part, sorted; any other is one symbol more.
        codes: [N] the text by places in the alphabet.
        parts: where training and validation end.
    """

    data: Text
    alphabet: tuple[int, ...]
    codes: Tensor
    parts: Split

    unit: ClassVar[Unit] = "character"
    name = "text"
    metrics = ("bits per character", "perplexity")
    profile_of = "most frequent characters"
    chance = ("1-gram",)

    @classmethod
    def read(cls, source: Source, options: Options) -> Text:  # noqa: ARG003
        """Return the text."""
        return read_text(source, cls.unit)

    @classmethod
    def prepare(cls, data: Text, horizon: int | None = None) -> Self:
        """Return the task: the text split in time, its alphabet taken from the training part."""
        no_horizon(horizon, cls.name)
        parts = split(len(data.codes), 1)
        needed = 2 * _STEPS
        if min(parts.train, parts.validation - parts.train) < needed:
            raise DataError(
                f"{data.name} has {len(data.codes)} {cls.unit}s; a model of text takes "
                f"{math.ceil(needed / 0.15)} or more"
            )
        found, counts = np.unique(data.codes[: parts.train], return_counts=True)
        most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_SYMBOLS])
        alphabet = tuple(found[most].tolist())
        return cls(data, alphabet, encode(data, alphabet), parts)

    def settings(self) -> dict[str, Any]:
        """Return the alphabet's size, the steps of a training window, and the parts."""
        return {
            "symbols": self._size,
            "steps": _STEPS,
            "parts": {part: end - start for part, (start, end) in self._spans().items()},
        }

    def notes(self) -> tuple[str, ...]:
        """Return how many symbols of the test part training never sees."""
        unseen = int((self._test_codes() == len(self.alphabet)).sum())
        return (f"{unseen} test {self.unit}s are not in the training part",) if unseen else ()

    def spec(self) -> dict[str, Any]:
        """Return the alphabet, and the logarithms of its shares in the training part."""
        counts = torch.bincount(self.codes[: self.parts.train], minlength=self._size) + 1
        return {
            "alphabet": list(self.alphabet),
            "start": (counts.double() / counts.sum()).log().tolist(),
        }

    @classmethod
    def check_spec(cls, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: a sorted alphabet, and the share of each symbol."""
        conform(spec, _Spec, "spec")
        alphabet, limit = spec["alphabet"], 0x110000 if cls.unit == "character" else 256
        same_length("spec.start", spec["start"], [*alphabet, "any other"])
        if sorted({*alphabet}) != alphabet or not all(0 <= code < limit for code in alphabet):
            raise DataError(f"spec.alphabet is not of {cls.unit}s, sorted")

    @classmethod
    def rebuild(cls, spec: dict[str, Any], cell: str | type[Cell], width: int) -> Speller:
        """Return an untrained `Speller`."""
        start = spec["start"]
        return Speller(cell, width, 0, (len(start),), start, every_step=True)

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return how the text may go on: step, symbol drawn (from a fixed seed), probability."""
        data, alphabet = cls.read(source, Options()), tuple(spec["alphabet"])
        found, shares = continued(network, encode(data, alphabet), _CONTINUED)
        shown = [*(data.show(code) for code in alphabet), "\N{REPLACEMENT CHARACTER}"]
        frame = {
            "step": range(1, _CONTINUED + 1),
            cls.unit: [shown[k] for k in found.tolist()],
            "probability": shares.numpy(),
        }
        return pl.DataFrame(frame), ()

    def extra_parameters(self) -> int:
        """Return what the embedding and the outputs take."""
        return edge_parameters((self._size,), self._size)

    def size(self, part: str) -> int:
        """Return the number of windows; those of training begin at each place, others touch."""
        start, end = self._spans()[part]
        if part == "train":
            return end - _STEPS
        return max(1, min(_VALIDATION_WINDOWS, (end - start) // _VALIDATION_STEPS))

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return windows [steps, B]: each row of a batch goes on where that before it ended."""
        room = self.size("train")
        first = torch.randint(room, (batch_size,))
        return (first + _STEPS * torch.arange(steps)[:, None]) % room

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return symbols [B, T], what follows each [B, T], and where the rows begin [B]."""
        start, end = self._spans()[part]
        steps = _STEPS if part == "train" else min(_VALIDATION_STEPS, end - start - 1)
        starts = start + index * (1 if part == "train" else steps)
        rows = self.codes.unfold(0, steps + 1, 1)[starts]
        return rows[:, :-1], rows[:, 1:], starts

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the first symbols of windows, as many in every part."""
        start, _ = self._spans()[part]
        starts = start + index * (1 if part == "train" else _VALIDATION_STEPS)
        steps = min(_STEPS, len(self.codes) - int(starts.max()))
        return (self.codes.unfold(0, steps, 1)[starts] + 1,)

    def evidence(self) -> Evidence:
        """Return the symbols of training."""
        start, end = self._spans()["train"]
        return Evidence(self.codes[start:end].double().numpy(), labels=True)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of what follows."""
        codes, following, starts = batch
        return cross_entropy(network(codes, starts).mT, following)

    def predict(self, network: nn.Module) -> Tensor:
        """Return ln p [M] of each test symbol, read in stretches, each from some way before it."""
        start, end = self._spans()["test"]
        length = -(-(end - start) // _STREAMS)
        begin = start + length * torch.arange(_STREAMS)
        rows = (begin[:, None] + torch.arange(-_STEPS - 1, length)).clamp(max=end - 1)
        return log_probabilities(network, self.codes[rows], _STEPS).flatten()[: end - start]

    def baselines(self) -> dict[str, Tensor]:
        """Return ln p [M] of each test symbol by n-grams; see `penstock.tasks.ngram`."""
        start, end = self._spans()["test"]
        codes = self.codes.numpy()
        train, context, test = codes[: self.parts.train], codes[:start], codes[start:end]
        return {
            f"{n}-gram": torch.from_numpy(np.log(ngram(train, context, test, self._size, n)))
            for n in _ORDERS
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return bits and perplexity, and the bits of the most frequent symbols."""
        bits = -predictions.double() / math.log(2)
        mean = float(bits.mean())
        here = self._test_codes()
        profile = tuple(float(bits[here == code].mean()) for code in self._frequent())
        return Measured(
            dict(zip(self.metrics, (mean, 2**mean), strict=True)), group_means(bits), profile
        )

    def profile_names(self) -> list[str]:
        """Return the ten most frequent symbols of the test part."""
        return [self._shown(code) for code in self._frequent()]

    def examples(self) -> list[dict[str, Any]]:
        """Return four places in the test part; what is drawn is the bits of each symbol."""
        codes, start = self._test_codes(), self._spans()["test"][0]
        return [
            {
                "series": f"{self.unit} {start + at + 1}",
                "times": [f"{k + 1} {self._shown(code)}" for k, code in enumerate(codes[at:to])],
                "actual": [None] * (to - at),
                "context": 0,
                "kind": "line",
                "unit": "bits",
                "levels": [],
            }
            for at, to in self._shown_places()
        ]

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the bits of each symbol of `examples`."""
        bits = -predictions.double() / math.log(2)
        return [bits[at:to].tolist() for at, to in self._shown_places()]

    @property
    def _size(self) -> int:
        return len(self.alphabet) + 1

    def _spans(self) -> dict[str, tuple[int, int]]:
        spans = {part: self.parts.part(part) for part in ("train", "validation", "test")}
        start, end = spans["test"]
        return {**spans, "test": (start, min(end, start + _MOST_TESTED))}

    def _test_codes(self) -> Tensor:
        start, end = self._spans()["test"]
        return self.codes[start:end]

    def _frequent(self) -> list[int]:
        counts = torch.bincount(self._test_codes(), minlength=self._size)
        order = counts.argsort(descending=True, stable=True)
        return [int(code) for code in order[:_PROFILE] if counts[code]]

    def _shown(self, code: int | Tensor) -> str:
        known = int(code) < len(self.alphabet)
        return repr(self.data.show(self.alphabet[int(code)]))[1:-1] if known else "unknown"

    def _shown_places(self) -> list[tuple[int, int]]:
        count = len(self._test_codes())
        steps = min(_EXAMPLE_STEPS, count)
        return [(at, at + steps) for at in spread(count - steps + 1).tolist()]
