"""The problem of language models, of characters and of bytes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.following.text import Text
from penstock.data.splits import Split
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import Evidence
from penstock.tasks.following.text_codec import bits_of, scores
from penstock.tasks.problem import Measured, Problem
from penstock.tasks.shared import groups

STEPS = 64  # symbols of a training window: the gradient goes back that far
_VALIDATION_STEPS = 256
_VALIDATION_WINDOWS = 200
_MOST_TESTED = 100_000  # symbols at the beginning of the test part
_STREAMS = 32  # stretches of the test part read side by side
_PROFILE = 10


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
            return end - STEPS
        return max(1, min(_VALIDATION_WINDOWS, (end - start) // _VALIDATION_STEPS))

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return windows [steps, B]: each row of a batch goes on where that before it ended."""
        room = self.size("train")
        first = torch.randint(room, (batch_size,))
        return (first + STEPS * torch.arange(steps)[:, None]) % room

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return symbols [B, T], what follows each [B, T], and where the rows begin [B]."""
        start, end = self.spans()[part]
        steps = STEPS if part == "train" else min(_VALIDATION_STEPS, end - start - 1)
        starts = start + index * (1 if part == "train" else steps)
        rows = self.codes.unfold(0, steps + 1, 1)[starts]
        return rows[:, :-1], rows[:, 1:], starts

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the first symbols of windows, as many in every part."""
        start, _ = self.spans()[part]
        starts = start + index * (1 if part == "train" else _VALIDATION_STEPS)
        steps = min(STEPS, len(self.codes) - int(starts.max()))
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
        rows = (begin[:, None] + torch.arange(-STEPS - 1, length)).clamp(max=end - 1)
        with at_rest(model):
            known: Tensor = model.log_probabilities(self.codes[rows], STEPS)  # type: ignore[operator]
        return known.flatten()[: end - start]

    def measure(self, predictions: Tensor) -> Measured:
        """Return bits and perplexity, and the bits of the most frequent symbols."""
        bits = bits_of(predictions)
        here = self.test_codes()
        profile = tuple(float(bits[here == code].mean()) for code in self._frequent())
        return Measured(scores(predictions, self.data.unit), *groups(bits), profile)

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
