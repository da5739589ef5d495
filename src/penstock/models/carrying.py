"""Networks that keep their state from one batch to the next: long sequences, learned in windows."""

import torch
from torch import Tensor

from penstock.layers.recurrent import State
from penstock.models.reader import SequenceNetwork

CHUNK = 256  # steps read at once without gradients


class CarryingNetwork(SequenceNetwork):
    """A `SequenceNetwork` with an output a step that can go on where a batch ended.

    In training, a row of a batch that begins where that row of the batch before ended goes on from
    the state that it had there, without its gradient: truncated backpropagation through time
    (Williams & Peng 1990). Every other row begins at zero, and so does all after `train` or `eval`.
    """

    _state: tuple[Tensor, ...] | None = None
    _ends: Tensor | None = None

    def train(self, mode: bool = True) -> "CarryingNetwork":
        """Set training or evaluation; forget the state."""
        self._state = self._ends = None
        super().train(mode)
        return self

    def go_on(self, numbers: Tensor, symbols: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """Return the outputs [B, T, O] of rows from starts [B] to ends [B], as the class says."""
        state = self._carried(starts) if self.training else None
        outputs, state = self.step_through(numbers, symbols, state)
        if self.training:
            self._state, self._ends = _detached(state), ends
        return outputs

    def step_through(
        self, numbers: Tensor, symbols: Tensor, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the outputs [B, T, O] and the state after the last step."""
        output, state = self.recurrent(self.encoded(numbers, symbols), state)
        return self.head(self.dropout(output)), state

    def _carried(self, starts: Tensor) -> State | None:
        if self._state is None or self._ends is None or self._ends.shape != starts.shape:
            return None
        goes_on = (self._ends == starts)[None, :, None]
        states = tuple(torch.where(goes_on, s, 0.0) for s in self._state)
        return states if len(states) > 1 else states[0]


class FrameNetwork(CarryingNetwork):
    """A `CarryingNetwork` of frames [B, T, D], with the next frame's logits at every step."""

    def forward(
        self, frames: Tensor, starts: Tensor | None = None, ends: Tensor | None = None
    ) -> Tensor:
        """Return logits [B, T, D] of what follows frames [B, T, D].

        In training the rows may go on; see `go_on`. Without gradients memory does not grow with T,
        but for what is returned.
        """
        if starts is not None and ends is not None:
            return self.go_on(frames, _no_symbols(frames), starts, ends)
        if torch.is_grad_enabled():
            return self.read(frames, None)[0]
        parts, state = [], None
        for part in torch.split(frames, CHUNK, dim=1):
            logits, state = self.read(part, state)
            parts.append(logits)
        return torch.cat(parts, dim=1)

    def read(self, frames: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return logits [B, T, D] of what follows frames [B, T, D], and the state after them."""
        return self.step_through(frames, _no_symbols(frames), state)


def _detached(state: State) -> tuple[Tensor, ...]:
    return tuple(s.detach() for s in ((state,) if isinstance(state, Tensor) else state))


def _no_symbols(frames: Tensor) -> Tensor:
    return torch.empty(*frames.shape[:2], 0, device=frames.device)
