"""The network that reads text symbol by symbol and keeps its state from one batch to the next."""

import torch
from torch import Tensor

from penstock.layers.recurrent import State
from penstock.models.reader import SequenceNetwork

_CHUNK = 256  # symbols read at once without gradients


class SymbolNetwork(SequenceNetwork):
    """A `SequenceNetwork` of one symbol a step, with the next symbol's logits at every step.

    In training, a row of a batch that begins where that row of the batch before ended goes on from
    the state that it had there, without its gradient: truncated backpropagation through time
    (Williams & Peng 1990). Every other row begins at zero, and so does all after `train` or `eval`.
    """

    _state: tuple[Tensor, ...] | None = None
    _ends: Tensor | None = None

    def train(self, mode: bool = True) -> "SymbolNetwork":
        """Set training or evaluation; forget the state."""
        self._state = self._ends = None
        super().train(mode)
        return self

    def forward(  # type: ignore[override]
        self, codes: Tensor, starts: Tensor
    ) -> Tensor:
        """Return logits [B, T, V] of what follows codes [B, T], which begin at starts [B]."""
        logits, state = self.read(codes, self._carried(starts) if self.training else None)
        if self.training:
            self._state, self._ends = _detached(state), starts + codes.shape[1]
        return logits

    def read(self, codes: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return logits [B, T, V] and the state after the last of codes [B, T]."""
        nothing = torch.empty(*codes.shape, 0, device=codes.device)
        output, state = self.recurrent(self.encoded(nothing, codes[..., None]), state)
        return self.head(self.dropout(output)), state

    def log_probabilities(self, codes: Tensor, warm: int) -> Tensor:
        """Return ln p of each symbol given those before it, but for a row's first `warm` + 1.

        Shapes: codes [B, N], result [B, N − warm − 1]. The state goes on through each row.
        """
        parts, state = [], None
        pairs = (torch.split(one, _CHUNK, dim=1) for one in (codes[:, :-1], codes[:, 1:]))
        for part, following in zip(*pairs, strict=True):
            logits, state = self.read(part, state)
            parts.append(logits.log_softmax(dim=-1).gather(2, following[..., None])[..., 0])
        return torch.cat(parts, dim=1)[:, warm:]

    def follow(self, codes: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return the logits [V] of what follows codes [N], and the state to go on from."""
        for part in torch.split(codes, _CHUNK):
            logits, state = self.read(part[None], state)
        assert state is not None
        return logits[0, -1], state

    def _carried(self, starts: Tensor) -> State | None:
        if self._state is None or self._ends is None or self._ends.shape != starts.shape:
            return None
        goes_on = (self._ends == starts)[None, :, None]
        states = tuple(torch.where(goes_on, s, 0.0) for s in self._state)
        return states if len(states) > 1 else states[0]


def _detached(state: State) -> tuple[Tensor, ...]:
    return tuple(s.detach() for s in ((state,) if isinstance(state, Tensor) else state))
