"""Language models as tasks: n-grams to beat, places to draw, how they are bound to a text."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penstock.data.files import Source
from penstock.data.following.text import Text, Unit, encode, read_text
from penstock.data.splits import VALIDATION_SHARE, split
from penstock.errors import ArgumentError, DataError
from penstock.tasks.following import ngram_fit
from penstock.tasks.following.symbols import STEPS, TextProblem
from penstock.tasks.following.text_codec import TextCodec, bits_of
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.shared import spread
from penstock.tasks.task import Parts, TaskKind

_FEWEST = 128  # symbols of training and of validation
_MOST_SYMBOLS = 4000
_EXAMPLE_STEPS = 60


@dataclass(frozen=True)
class NGrams:
    """N-grams of one symbol, of two, and of as many as validation chooses."""

    problem: TextProblem
    sizes: dict[str, int]

    def __call__(self) -> dict[str, Method]:
        """Return each, counted in the training part."""
        codes = self.problem.codes[: self.problem.parts.train].numpy()
        rows, predicted = self.problem.for_choosing(ngram_fit.LONGEST)
        return ngram_fit.fit(self.sizes, codes, rows.numpy(), predicted)


@dataclass(frozen=True)
class TextExamples(Examples):
    """Four places in the test part; what is drawn is the bits of each symbol."""

    problem: TextProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the places."""
        problem = self.problem
        codes, places = problem.test_codes(), problem.tested()
        return [
            ExampleWindow(
                f"{problem.data.unit} {int(places[at]) + 1}",
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
        at = [self.problem.whole_stretch(k, steps) for k in spread(count - steps + 1).tolist()]
        return [(k, k + steps) for k in at]


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

    def __call__(self, data: Text, context: int | None = None) -> Parts:
        """Return the parts; the context is the steps of a training window."""
        parts = split(len(data.codes), 1)
        if min(parts.train, parts.validation - parts.train) < _FEWEST:
            raise DataError(
                f"{data.name} has {len(data.codes)} {self.unit}s; a model of text takes "
                f"{math.ceil(_FEWEST / VALIDATION_SHARE)} or more"
            )
        if context is not None and context >= parts.train:
            raise ArgumentError(
                f"the context is {context}; it must be below the {parts.train} {self.unit}s of "
                f"the training part of {data.name}"
            )
        codes, counts = np.unique(data.codes[: parts.train], return_counts=True)
        most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_SYMBOLS])
        alphabet = tuple(codes[most].tolist())
        coded = encode(data, alphabet)
        problem = self.problem(data, alphabet, coded, parts, context or STEPS)
        spec = _spec(problem)
        fit = NGrams(problem, self.codec.sizes(spec))
        examples, settings = TextExamples(problem), _settings(problem)
        return Parts(problem, fit, examples, settings, tuple(_notes(problem)), spec)


def _settings(problem: TextProblem) -> dict[str, Any]:
    """Return the alphabet's size, the steps of a training window, and what counts of each part."""
    return {
        "symbols": len(problem.alphabet) + 1,
        "context": problem.steps,
        "parts": {
            "train": problem.parts.train,
            "validation": problem.for_choosing(0)[0].numel(),
            "test": len(problem.tested()),
        },
    }


def _notes(problem: TextProblem) -> Iterator[str]:
    """Say which symbols are none of the alphabet, and what n-grams are counted in."""
    unit, other = f"{problem.data.unit}s", len(problem.alphabet)
    rare = int((problem.codes[: problem.parts.train] == other).sum())
    if rare:
        yield (
            f"{rare} training {unit} are none of the {other} commonest ones; they count as one "
            "symbol, to all models alike"
        )
    unseen = int((problem.test_codes() == other).sum())
    if unseen:
        yield f"{unseen} test {unit} are not {'among these' if rare else 'in the training part'}"
    if problem.parts.train > ngram_fit.MOST_COUNTED:
        yield (
            f"n-grams are counted in the last {ngram_fit.MOST_COUNTED:,} of "
            f"{problem.parts.train:,} training {unit}"
        )


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
    codec = TextCodec(unit, ngram_fit.NAMES)
    binder = TextBinder(unit, problem, codec)
    return TaskKind(name, name, codec, TextReader(unit), binder, has_context=True)
