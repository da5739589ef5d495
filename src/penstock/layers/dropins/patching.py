"""torch.nn's names for penstock's layers, as long as somebody asks for it."""

import threading
from collections.abc import Iterable
from typing import Any

from torch import nn

_HOMES = (nn, nn.modules)


class Patch:
    """What is put in torch.nn's place, by all threads together.

    It stays until the last who asked for it lets go, in whatever order they do.
    """

    def __init__(self, layers: Iterable[Any]) -> None:
        self._layers = tuple(layers)
        self._lock = threading.Lock()
        self._asked = 0
        self._replaced: list[tuple[Any, str, Any]] = []

    def put(self) -> None:
        """Put the layers under torch's names, where they are not yet."""
        with self._lock:
            self._asked += 1
            for home in _HOMES:
                for ours in self._layers:
                    name = ours.__name__
                    if (there := getattr(home, name)) is not ours:
                        self._replaced.append((home, name, there))
                        setattr(home, name, ours)

    def let_go(self) -> None:
        """Give torch its own back, if nobody else asks for the layers."""
        with self._lock:
            self._asked -= 1
            while self._replaced and not self._asked:
                setattr(*self._replaced.pop())
