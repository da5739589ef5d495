"""The problem of language models, of characters and of bytes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.following.text import Text
from penstock.data.splits import Split
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import Evidence
from penstock.tasks.following.text_codec import bits_of, meanings_of, scores
from penstock.tasks.measuring import consecutive, measured
from penstock.tasks.problem import Measured, Problem

STEPS = 64  # symbols of a training window, unless a context is given
_LOOKED_AT = 64  # symbols of a window by which parts are compared
_VALIDATION_STEPS = 256
_VALIDATION_WINDOWS = 200
_MOST_TESTED = 100_000  # symbols of the test part
_STRETCHES = 32  # of the test part, read side by side
_WARM = 128  # symbols read before a stretch is tested
_PROFILE = 10


@dataclass(frozen=True)
class TextProblem(Problem):
    """A language model of characters, or of bytes.

    The text is split in time. Training reads it in streams, the state carried from window to
    window, while the gradient goes back to the beginning of a window. Of a long text 200 windows
    validate and 32 stretches are tested, evenly spread over their parts.

    Attributes:
        data: the text.
        alphabet: the symbols of the training part, sorted; any other is one symbol more.
        codes: [N] the text by places in the alphabet.
        parts: where training and validation end.
        steps: symbols of a training window; neither validation nor test depends on it.
    """

    data: Text
    alphabet: tuple[int, ...]
    codes: Tensor
    parts: Split
    steps: int = STEPS

    metrics = ("bits per character", "nats per character", "perplexity")
    meanings = meanings_of("character")
    profile_of = "most frequent characters"

    def size(self, part: str) -> int:
        """Return the number of windows; those of training begin at each place."""
        start, end = self.parts.part(part)
        if part == "train":
            return end - self.steps
        return max(1, min(_VALIDATION_WINDOWS, (end - start - 1) // _VALIDATION_STEPS))

    def learned_from(self) -> int:
        """Return the symbols of the training part."""
        return self.parts.train

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return windows [steps, B]: each row of a batch goes on where that before it ended."""
        room = self.size("train")
        first = torch.randint(room, (batch_size,))
        return (first + self.steps * torch.arange(steps)[:, None]) % room

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return symbols [B, T], what follows each [B, T], and where the rows begin [B]."""
        if part == "train":
            starts, steps = index, self.steps
        else:
            starts, steps = self._validation(index)
        rows = self.codes.unfold(0, steps + 1, 1)[starts]
        return rows[:, :-1], rows[:, 1:], starts

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the first symbols of windows, as many in every part."""
        starts = {
            "train": lambda: index,
            "validation": lambda: self._validation(index)[0],
            "test": lambda: self.parts.validation + index * _VALIDATION_STEPS,
        }[part]()
        steps = min(_LOOKED_AT, len(self.codes) - int(starts.max()))
        return (self.codes.unfold(0, steps, 1)[starts] + 1,)

    def evidence(self) -> Evidence:
        """Return the symbols of training, the last of them where they are many."""
        codes = self.codes[: self.parts.train][-_MOST_TESTED:]
        return Evidence(codes.double().numpy(), labels=True)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of what follows."""
        codes, following, starts = batch
        return cross_entropy(network(codes, starts).flatten(0, 1), following.flatten())

    def predict(self, model: nn.Module) -> Tensor:
        """Return ln p [M] of each test symbol, each stretch read from some way before it."""
        starts, length = self._stretches()
        steps = torch.arange(-_WARM - 1, length)
        rows = (starts[:, None] + steps).clamp(max=len(self.codes) - 1)
        with at_rest(model):
            known: Tensor = model.log_probabilities(self.codes[rows], _WARM)  # type: ignore[operator]
        return known.flatten()[: len(self.tested())]

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, and the bits of the most frequent symbols."""
        bits = bits_of(predictions)
        here = self.test_codes()
        profile = tuple(float(bits[here == code].mean()) for code in self._frequent())
        unit = self.data.unit
        return measured(
            lambda kept: scores(predictions[kept], unit), consecutive(len(bits)), profile
        )

    def members(self, part: str) -> list[str]:
        """Return which symbols of the text are in a part, and which of them count."""
        start, end = self.parts.part(part)
        words = f"{self.data.unit}s {start + 1} to {end}"
        count, length = self.size(part), _VALIDATION_STEPS
        if part == "test":
            count, length = _STRETCHES, len(self.tested()) // _STRETCHES
        if part == "train" or (part == "test" and len(self.tested()) == end - start):
            return [words]
        return [f"{words}: {count} stretches of {length}, evenly spread"]

    def profile_names(self) -> list[str]:
        """Return the ten most frequent symbols of the test part."""
        return [self.shown(code) for code in self._frequent()]

    def tested(self) -> Tensor:
        """Return the places of the test symbols [M]."""
        starts, length = self._stretches()
        places = (starts[:, None] + torch.arange(length)).flatten()
        return places[: min(_MOST_TESTED, len(self.codes) - self.parts.validation)]

    def test_codes(self) -> Tensor:
        """Return the test symbols [M]."""
        return self.codes[self.tested()]

    def whole_stretch(self, at: int, steps: int) -> int:
        """Return the place from 0 to M nearest to `at` from which so many steps touch."""
        starts, length = self._stretches()
        if starts[1] - starts[0] == length:
            return at
        return at - max(0, at % length + steps - length)

    def for_choosing(self, before: int) -> tuple[Tensor, int]:
        """Return validation windows [B, before + T], with what is before them, and T."""
        starts, steps = self._validation(torch.arange(self.size("validation")))
        return self.codes[starts[:, None] + torch.arange(-before, steps)], steps

    def shown(self, code: int | Tensor) -> str:
        """Return a symbol as it is shown."""
        known = int(code) < len(self.alphabet)
        return repr(self.data.show(self.alphabet[int(code)]))[1:-1] if known else "unknown"

    def _validation(self, index: Tensor) -> tuple[Tensor, int]:
        """Return where validation windows begin, evenly spread, and their steps."""
        start, end = self.parts.part("validation")
        steps = min(_VALIDATION_STEPS, end - start - 1)
        between = max(1, self.size("validation") - 1)
        return start + index * (end - start - steps - 1) // between, steps

    def _stretches(self) -> tuple[Tensor, int]:
        """Return where the test's stretches begin, and their steps.

        They touch where all of the part is tested; the last may then be shorter.
        """
        start, end = self.parts.part("test")
        length = -(-min(end - start, _MOST_TESTED) // _STRETCHES)
        apart = max(length, (end - start) // _STRETCHES)
        return start + apart * torch.arange(_STRETCHES), length

    def _frequent(self) -> list[int]:
        counts = torch.bincount(self.test_codes(), minlength=len(self.alphabet) + 1)
        order = counts.argsort(descending=True, stable=True)
        return [int(code) for code in order[:_PROFILE] if counts[code]]


class ByteProblem(TextProblem):
    """A language model of bytes; as `TextProblem`."""

    metrics = ("bits per byte", "nats per byte", "perplexity")
    meanings = meanings_of("byte")
    profile_of = "most frequent bytes"
