"""The training loop: rounds of optimisation steps, each followed by validation and a checkpoint.

All that is random in a round comes from (seed, number of the round), so a training that was killed
and goes on from its checkpoint gives to the bit what an undisturbed one gives.
"""

import operator
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial, reduce
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from penstock.record.checked import conform
from penstock.training import checkpoint

_VALIDATION_BATCH = 500
_PACED = 4  # steps that a pace is taken from, the first of them to warm up


class Learner(Protocol):
    """What training needs of a task."""

    def size(self, part: str) -> int:
        """Return the number of windows of the part "train" or "validation"."""

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return the training windows of the next steps [steps, B], from torch's random numbers."""

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the windows of a part at `index` [B]."""

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean loss over a batch."""


@dataclass(frozen=True)
class Budget:
    """What a training may use; the same for every cell.

    Attributes:
        steps: optimisation steps at most.
        round_steps: steps between two validations.
        patience: rounds without a better validation loss before it stops.
        batch_size: windows a step, drawn anew.
        learning_rate: of Adam.
        weight_decay: decoupled from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101).
        clip_norm: the norm to which gradients are clipped.
    """

    steps: int = 400
    round_steps: int = 20
    patience: int = 6
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    clip_norm: float = 1.0

    @property
    def rounds(self) -> int:
        """Rounds at most."""
        return -(-self.steps // self.round_steps)


@dataclass
class Progress:
    """How far a training has come; all of it is in the checkpoint.

    Attributes:
        round: rounds done.
        losses: [training, validation] loss of each round; the first is before any step.
        best_round: the round with the lowest validation loss.
        diverged: a loss was not finite.
        times: seconds that each round took, its validation included, over all restarts: of the
            processor on a CPU, so that it counts nothing how busy the machine is.
    """

    round: int = 0
    losses: list[list[float | None]] = field(default_factory=list)
    best_round: int = 0
    diverged: bool = False
    times: list[float] = field(default_factory=list)

    @property
    def best_loss(self) -> float:
        """The lowest validation loss so far."""
        loss = self.losses[self.best_round][1]
        return float("inf") if loss is None else loss

    def ended(self, budget: Budget) -> Literal["diverged", "patience", "steps", ""]:
        """Return why training is over, or "" while it is not."""
        if self.diverged:
            return "diverged"
        if self.round - self.best_round >= budget.patience:
            return "patience"
        return "steps" if self.round >= budget.rounds else ""


def best_device() -> torch.device:
    """Return the accelerator that torch finds here, or the CPU where there is none."""
    found = torch.accelerator.is_available() and torch.accelerator.current_accelerator()
    return found or torch.device("cpu")


def weights_at(trail: Path, number: int) -> Path:
    """Return where a training keeps the weights of a round that was the best so far."""
    return trail / f"{number}.safetensors"


def derive_seed(*numbers: int) -> int:
    """Return one seed from several numbers, well mixed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Training:
    """One training of one network, which can stop after any round and go on later.

    Args:
        learner: data and loss.
        network: the untrained network; it holds the best weights in the end.
        seed: what the drawing of batches, and dropout, depend on.
        budget: what it may use.
        path: of the checkpoint; training goes on from there if it exists. None writes none.
        trail: folder that gets the weights of each round that was the best so far, as
            <round>.safetensors. None keeps the best of all alone.

    It trains on the accelerator where there is one.
    """

    def __init__(
        self,
        learner: Learner,
        network: nn.Module,
        *,
        seed: int,
        budget: Budget,
        path: Path | None = None,
        trail: Path | None = None,
    ) -> None:
        self.learner, self.network, self.seed, self.budget = learner, network, seed, budget
        self.path, self.trail, self.device = path, trail, best_device()
        network.to(self.device)
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=True,  # a third of the time of a loop over the parameters
        )
        self.progress, self.best = Progress(), self._weights()
        self._pulse: Callable[[], None] = lambda: None

    def _clock(self) -> float:
        return time.process_time() if self.device.type == "cpu" else time.perf_counter()

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        pulse: Callable[[], None] = lambda: None,
        until: int | None = None,
    ) -> Progress:
        """Train to the end, or for `until` rounds in all; leave the best weights in the network.

        `report` is called after each round, and `pulse` before each batch; one that raises ends
        the training there.
        """
        self._pulse = pulse
        if self.path is not None and self.path.exists():
            self.restore()
        else:
            self._finish_round(None, self._clock())
        while not self.progress.ended(self.budget) and self.progress.round != until:
            start = self._clock()
            self.progress.round += 1
            self._finish_round(self._train_round(), start)
            report(self.progress)
        self.keep_best()
        return self.progress

    def pace(self, limit: float) -> tuple[float, float]:
        """Return the seconds of a step and of a validation, measured on the network as it is.

        The first step, which may build a kernel, does not count, unless it takes `limit` seconds.
        The network is of no use afterwards.
        """
        size = self.learner.size("validation")
        several = torch.split(torch.arange(size), _VALIDATION_BATCH)
        self.network.train()
        index = self.learner.draw(_PACED, self.budget.batch_size)
        seconds = _timed(lambda: self._step(index[0]))
        if seconds < limit:
            seconds = median(_timed(partial(self._step, batch)) for batch in index[1:])
        self.network.eval()
        with torch.inference_mode():
            validation = _timed(lambda: self._loss("validation", several[0]))
        return seconds, validation * len(several)

    def keep_best(self) -> None:
        """Put the best weights into the network, and it on the CPU."""
        self.network.load_state_dict(self.best)
        self.network.to("cpu")

    def _train_round(self) -> float:
        """Take the steps of a round and return their mean loss."""
        done = (self.progress.round - 1) * self.budget.round_steps
        steps = min(self.budget.round_steps, self.budget.steps - done)
        torch.manual_seed(derive_seed(self.seed, self.progress.round))
        drawn = self.learner.draw(steps, self.budget.batch_size)
        self.network.train()
        return float(torch.stack([self._step(index) for index in drawn]).mean())

    def _step(self, index: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss = self._loss("train", index)
        torch.autograd.backward(loss)
        clip_grad_norm_(self.network.parameters(), self.budget.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def _loss(self, part: str, index: Tensor) -> Tensor:
        self._pulse()
        batch = tuple(x.to(self.device) for x in self.learner.batch(part, index))
        return self.learner.loss(self.network, batch)

    def _validate(self) -> float:
        self.network.eval()
        size = self.learner.size("validation")
        with torch.inference_mode():
            parts = torch.split(torch.arange(size), _VALIDATION_BATCH)
            return sum(float(self._loss("validation", i)) * len(i) for i in parts) / size

    def _finish_round(self, training_loss: float | None, start: float) -> None:
        """Validate, note the round, and write the checkpoint."""
        progress, losses = self.progress, (training_loss, self._validate())
        finite = [None if x is None or not np.isfinite(x) else x for x in losses]
        progress.losses.append(finite)
        progress.diverged = finite != list(losses)
        if progress.round == 0 or (not progress.diverged and losses[1] < progress.best_loss):
            progress.best_round, self.best = progress.round, self._weights()
        progress.times.append(self._clock() - start)
        if self.trail is not None and progress.best_round == progress.round:
            checkpoint.save(weights_at(self.trail, progress.round), self.best, {})
        if self.path is not None:
            self._save(self.path)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}

    def _save(self, path: Path) -> None:
        parts = {
            "network": self._weights(),
            "best": self.best,
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
        }
        tensors = [checkpoint.prefixed(part, named) for part, named in parts.items()]
        checkpoint.save(path, reduce(operator.or_, tensors), asdict(self.progress))

    def restore(self) -> None:
        """Take all from the checkpoint.

        Raises:
            ModelFileError: it is damaged. Whatever else is raised: it is of something else.
        """
        assert self.path is not None
        tensors, about = checkpoint.load(self.path)
        conform(about, Progress, "the checkpoint")
        self.progress = Progress(**about)
        self.best = checkpoint.under("best", tensors)
        self.network.load_state_dict(checkpoint.under("network", tensors))
        checkpoint.restore_optimizer(self.optimizer, checkpoint.under("optimizer", tensors))
