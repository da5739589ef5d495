"""Baselines on frames, each from the last frame or from none."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from penstock.tasks.methods import Method


class FrameMethod(Method):
    """A baseline on frames; it has no state."""

    @abstractmethod
    def after(self, frames: Tensor) -> Tensor:
        """Return the logits [B, T, D] of what follows frames [B, T, D]."""

    def read(self, frames: Tensor, state: None) -> tuple[Tensor, None]:
        """Return the same, as a network that reads on does."""
        return self.after(frames), state


class ColumnFrequencies(FrameMethod):
    """The share of ones in each column; weights: logits [D]."""

    kind = "blind"
    shapes: ClassVar = {"logits": ("outputs",)}
    logits: Tensor

    def after(self, frames: Tensor) -> Tensor:
        """Return the logits [B, T, D]."""
        return self.logits.expand(*frames.shape[:2], -1)


class LastFrame(FrameMethod):
    """The last frame repeated, smoothed: weights: off and on, the logits of a one after each."""

    kind = "naive"
    shapes: ClassVar = {"off": (), "on": ()}
    off: Tensor
    on: Tensor

    def after(self, frames: Tensor) -> Tensor:
        """Return the logits [B, T, D]."""
        return torch.where(frames == 1, self.on, self.off)


class KeyMarkov(FrameMethod):
    """A Markov chain for each column: weights: off and on [D], the logits of a one after each."""

    kind = "classical"
    shapes: ClassVar = {"off": ("outputs",), "on": ("outputs",)}
    off: Tensor
    on: Tensor

    def after(self, frames: Tensor) -> Tensor:
        """Return the logits [B, T, D]."""
        return torch.where(frames == 1, self.on, self.off)


class OnLastFrame(FrameMethod):
    """Logistic regression on the last frame: logits = W x + b; W [D, D], b [D]."""

    kind = "classical"
    shapes: ClassVar = {"weight": ("outputs", "outputs"), "bias": ("outputs",)}
    weight: Tensor
    bias: Tensor

    def after(self, frames: Tensor) -> Tensor:
        """Return the logits [B, T, D]."""
        return frames.double() @ self.weight.T + self.bias


METHODS = {
    "column frequencies": ColumnFrequencies,
    "last frame": LastFrame,
    "Markov chain of each column": KeyMarkov,
    "logistic on the last frame": OnLastFrame,
}
