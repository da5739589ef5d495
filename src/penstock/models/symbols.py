"""The network that reads text symbol by symbol."""

import torch
from torch import Tensor

from penstock.layers.recurrent import State
from penstock.models.carrying import CHUNK, CarryingNetwork


class SymbolNetwork(CarryingNetwork):
    """A `CarryingNetwork` of one symbol a step, with the next symbol's logits at every step."""

    def forward(  # type: ignore[override]
        self, codes: Tensor, starts: Tensor
    ) -> Tensor:
        """Return logits [B, T, V] of what follows codes [B, T], which begin at starts [B]."""
        return self.go_on(*_inputs(codes), starts, starts + codes.shape[1])

    def read(self, codes: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return logits [B, T, V] and the state after the last of codes [B, T]."""
        return self.step_through(*_inputs(codes), state)

    def log_probabilities(self, codes: Tensor, warm: int) -> Tensor:
        """Return ln p of each symbol given those before it, but for a row's first `warm` + 1.

        Shapes: codes [B, N], result [B, N − warm − 1]. The state goes on through each row.
        """
        parts, state = [], None
        pairs = (torch.split(one, CHUNK, dim=1) for one in (codes[:, :-1], codes[:, 1:]))
        for part, following in zip(*pairs, strict=True):
            logits, state = self.read(part, state)
            parts.append(logits.log_softmax(dim=-1).gather(2, following[..., None])[..., 0])
        return torch.cat(parts, dim=1)[:, warm:]

    def follow(self, codes: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return the logits [V] of what follows codes [N], and the state to go on from."""
        for part in torch.split(codes, CHUNK):
            logits, state = self.read(part[None], state)
        assert state is not None
        return logits[0, -1], state


def _inputs(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes [B, T] as the layers read them: no numbers, and one symbol a step."""
    return torch.empty(*codes.shape, 0, device=codes.device), codes[..., None]
