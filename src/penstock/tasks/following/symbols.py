"""What language models of characters and of bytes share: the problem, and what is kept of it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.files import Source
from penstock.data.following.text import Text, Unit, encode, read_text
from penstock.data.series import Options
from penstock.data.splits import Split, split
from penstock.errors import DataError
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import Evidence
from penstock.tasks.following.ngram import NGram
from penstock.tasks.following.text_codec import TextCodec, bits_of, scores
from penstock.tasks.methods import Method
from penstock.tasks.shared import group_means, no_horizon, spread
from penstock.tasks.task import Examples, ExampleWindow, Measured, Parts, Problem, TaskKind

_STEPS = 64  # symbols of a training window: the gradient goes back that far
_VALIDATION_STEPS = 256
_VALIDATION_WINDOWS = 200
_MOST_TESTED = 100_000  # symbols at the beginning of the test part
_STREAMS = 32  # stretches of the test part read side by side
_ORDERS = {f"{n}-gram": n for n in (1, 2, 3, 5)}
_MOST_SYMBOLS = 1000
_PROFILE, _EXAMPLE_STEPS = 10, 60


@dataclass(frozen=True)
class TextProblem(Problem):
    """A language model of characters, or of bytes.

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

    metrics = ("bits per character", "perplexity")
    profile_of = "most frequent characters"
    chance = ("1-gram",)

    def size(self, part: str) -> int:
        """Return the number of windows; those of training begin at each place, others touch."""
        start, end = self.spans()[part]
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
        start, end = self.spans()[part]
        steps = _STEPS if part == "train" else min(_VALIDATION_STEPS, end - start - 1)
        starts = start + index * (1 if part == "train" else steps)
        rows = self.codes.unfold(0, steps + 1, 1)[starts]
        return rows[:, :-1], rows[:, 1:], starts

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the first symbols of windows, as many in every part."""
        start, _ = self.spans()[part]
        starts = start + index * (1 if part == "train" else _VALIDATION_STEPS)
        steps = min(_STEPS, len(self.codes) - int(starts.max()))
        return (self.codes.unfold(0, steps, 1)[starts] + 1,)

    def evidence(self) -> Evidence:
        """Return the symbols of training."""
        start, end = self.spans()["train"]
        return Evidence(self.codes[start:end].double().numpy(), labels=True)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of what follows."""
        codes, following, starts = batch
        return cross_entropy(network(codes, starts).mT, following)

    def predict(self, model: nn.Module) -> Tensor:
        """Return ln p [M] of each test symbol, read in stretches, each from some way before it."""
        start, end = self.spans()["test"]
        length = -(-(end - start) // _STREAMS)
        begin = start + length * torch.arange(_STREAMS)
        rows = (begin[:, None] + torch.arange(-_STEPS - 1, length)).clamp(max=end - 1)
        with at_rest(model):
            known: Tensor = model.log_probabilities(self.codes[rows], _STEPS)  # type: ignore[operator]
        return known.flatten()[: end - start]

    def measure(self, predictions: Tensor) -> Measured:
        """Return bits and perplexity, and the bits of the most frequent symbols."""
        bits = bits_of(predictions)
        here = self.test_codes()
        profile = tuple(float(bits[here == code].mean()) for code in self._frequent())
        return Measured(scores(predictions, self.data.unit), group_means(bits), profile)

    def members(self, part: str) -> list[str]:
        """Return which symbols of the text are in a part."""
        start, end = self.spans()[part]
        return [f"{self.data.unit}s {start + 1} to {end}"]

    def profile_names(self) -> list[str]:
        """Return the ten most frequent symbols of the test part."""
        return [self.shown(code) for code in self._frequent()]

    def spans(self) -> dict[str, tuple[int, int]]:
        """Return where each part begins and ends."""
        spans = {part: self.parts.part(part) for part in ("train", "validation", "test")}
        start, end = spans["test"]
        return {**spans, "test": (start, min(end, start + _MOST_TESTED))}

    def test_codes(self) -> Tensor:
        """Return the test symbols."""
        start, end = self.spans()["test"]
        return self.codes[start:end]

    def shown(self, code: int | Tensor) -> str:
        """Return a symbol as it is shown."""
        known = int(code) < len(self.alphabet)
        return repr(self.data.show(self.alphabet[int(code)]))[1:-1] if known else "unknown"

    def _frequent(self) -> list[int]:
        counts = torch.bincount(self.test_codes(), minlength=len(self.alphabet) + 1)
        order = counts.argsort(descending=True, stable=True)
        return [int(code) for code in order[:_PROFILE] if counts[code]]


class ByteProblem(TextProblem):
    """A language model of bytes; as `TextProblem`."""

    metrics = ("bits per byte", "perplexity")
    profile_of = "most frequent bytes"


@dataclass(frozen=True)
class NGrams:
    """N-grams of several orders."""

    problem: TextProblem
    sizes: dict[str, int]

    def __call__(self) -> dict[str, Method]:
        """Return each, counted in the training part."""
        codes = self.problem.codes[: self.problem.parts.train].numpy()
        return {name: NGram.fit(self.sizes, codes, order) for name, order in _ORDERS.items()}


@dataclass(frozen=True)
class TextExamples(Examples):
    """Four places in the test part; what is drawn is the bits of each symbol."""

    problem: TextProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the places."""
        problem = self.problem
        codes, start = problem.test_codes(), problem.spans()["test"][0]
        return [
            ExampleWindow(
                f"{problem.data.unit} {start + at + 1}",
                [f"{k + 1} {problem.shown(code)}" for k, code in enumerate(codes[at:to])],
                [None] * (to - at),
                unit="bits",
            )
            for at, to in self._places()
        ]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the bits of each symbol."""
        bits = bits_of(predictions)
        return [bits[at:to].tolist() for at, to in self._places()]

    def _places(self) -> list[tuple[int, int]]:
        count = len(self.problem.test_codes())
        steps = min(_EXAMPLE_STEPS, count)
        return [(at, at + steps) for at in spread(count - steps + 1).tolist()]


@dataclass(frozen=True)
class TextReader:
    """Reads a text as characters or as bytes."""

    unit: Unit

    def __call__(self, source: Source, options: Options) -> Text:  # noqa: ARG002
        """Return the text; no option bears on it."""
        return read_text(source, self.unit)


@dataclass(frozen=True)
class TextBinder:
    """Makes the parts of a task on text: split in time, its alphabet from the training part."""

    task: str
    unit: Unit
    problem: type[TextProblem]
    codec: TextCodec

    def __call__(self, data: Text, horizon: int | None) -> Parts:
        """Return the parts."""
        no_horizon(horizon, self.task)
        parts = split(len(data.codes), 1)
        needed = 2 * _STEPS
        if min(parts.train, parts.validation - parts.train) < needed:
            raise DataError(
                f"{data.name} has {len(data.codes)} {self.unit}s; a model of text takes "
                f"{math.ceil(needed / 0.15)} or more"
            )
        codes, counts = np.unique(data.codes[: parts.train], return_counts=True)
        most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_SYMBOLS])
        alphabet = tuple(codes[most].tolist())
        problem = self.problem(data, alphabet, encode(data, alphabet), parts)
        spec = _spec(problem)
        fit = NGrams(problem, self.codec.sizes(spec))
        examples, settings = TextExamples(problem), _settings(problem)
        return Parts(problem, fit, examples, settings, _notes(problem), spec)


def _settings(problem: TextProblem) -> dict[str, Any]:
    """Return the alphabet's size, the steps of a training window, and the parts."""
    return {
        "symbols": len(problem.alphabet) + 1,
        "steps": _STEPS,
        "parts": {part: end - start for part, (start, end) in problem.spans().items()},
    }


def _notes(problem: TextProblem) -> tuple[str, ...]:
    """Return how many symbols of the test part training never sees."""
    unseen, unit = int((problem.test_codes() == len(problem.alphabet)).sum()), problem.data.unit
    return (f"{unseen} test {unit}s are not in the training part",) if unseen else ()


def _spec(problem: TextProblem) -> dict[str, Any]:
    """Return the alphabet, and the logarithms of its shares in the training part."""
    train, size = problem.codes[: problem.parts.train], len(problem.alphabet) + 1
    counts = torch.bincount(train, minlength=size) + 1
    return {
        "alphabet": list(problem.alphabet),
        "start": (counts.double() / counts.sum()).log().tolist(),
    }


def text_task(name: str, unit: Unit, problem: type[TextProblem]) -> TaskKind:
    """Return a task of language models."""
    codec = TextCodec(unit, dict.fromkeys(_ORDERS, NGram))
    return TaskKind(name, name, codec, TextReader(unit), TextBinder(name, unit, problem, codec))
