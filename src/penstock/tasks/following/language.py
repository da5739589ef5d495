"""Language models as tasks: n-grams to beat, places to draw, how they are bound to a text."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penstock.data.files import Source
from penstock.data.following.text import Text, Unit, encode, read_text
from penstock.data.splits import split
from penstock.errors import DataError
from penstock.tasks.following.ngram import NGram
from penstock.tasks.following.symbols import STEPS, TextProblem
from penstock.tasks.following.text_codec import TextCodec, bits_of
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.shared import spread
from penstock.tasks.task import Parts, TaskKind

_ORDERS = {f"{n}-gram": n for n in (1, 2, 3, 5)}
_MOST_SYMBOLS = 1000
_EXAMPLE_STEPS = 60


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

    def __call__(self, source: Source, *_: Any) -> Text:
        """Return the text; no option bears on it."""
        return read_text(source, self.unit)


@dataclass(frozen=True)
class TextBinder:
    """Makes the parts of a task on text: split in time, its alphabet from the training part."""

    unit: Unit
    problem: type[TextProblem]
    codec: TextCodec

    def __call__(self, data: Text) -> Parts:
        """Return the parts."""
        parts = split(len(data.codes), 1)
        needed = 2 * STEPS
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
        "steps": STEPS,
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
    return TaskKind(name, name, codec, TextReader(unit), TextBinder(unit, problem, codec))
