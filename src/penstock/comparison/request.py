"""What is asked of a comparison, beside its data: checked without torch, which takes seconds."""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from penstock.cells import cell_name, check_name, find_cell
from penstock.cells import cells as every_cell
from penstock.comparison.duration import seconds
from penstock.comparison.judging.checks import find_checks
from penstock.comparison.keeping.folder import check_folder
from penstock.errors import ArgumentError
from penstock.tasks import check_task

if TYPE_CHECKING:
    from penstock.cells import Cell

DEFAULT_CELLS = ("rnn", "lstm", "gru")
DEFAULT_SEEDS = 5
ALL = "all"  # cells: a tournament of every one
# In the order in which they are tried: from the middle outwards, evenly on a logarithmic scale.
SIZES = ("auto", "small", "medium", "large")
LEARNING_RATES = (3e-3, 1e-3, 1e-2, 3e-4, 3e-2)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked, as `penstock.compare` takes it; all that can be wrong is looked for at once.

    Raises:
        ArgumentError: an argument cannot work.
        UnknownCellError: there is no cell of a name.
    """

    cells: "Sequence[str | type[Cell]]" = DEFAULT_CELLS
    task: str | None = None
    horizon: int | None = None
    seeds: int = DEFAULT_SEEDS
    resplits: int = 0
    steps: int | None = None
    rates: Sequence[float] | None = None
    size: str = "auto"
    parameters: int | None = None
    layers: int | None = None
    bidirectional: bool = False
    dropout: float | None = None
    context: int | None = None
    batch_size: int | None = None
    patience: int | None = None
    weight_decay: float = 0.0
    time: float | str | None = None
    out: Path | None = None
    workers: int | None = None
    ray: str | None = None
    skip_checks: Collection[str] = ()
    began: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.ends  # noqa: B018  (it raises)
        self._check_cells()
        _check_rates(self.learning_rates)
        numbers = {
            "horizon": self.horizon, "the number of seeds": self.seeds, "steps": self.steps,
            "workers": self.workers, "parameters": self.parameters, "layers": self.layers,
            "context": self.context, "the batch size": self.batch_size, "patience": self.patience,
        }  # fmt: skip
        for name, number in numbers.items():
            _check_above_0(name, number)
        if self.resplits < 0 or self.resplits == 1:
            raise ArgumentError(
                f"the number of resplits is {self.resplits}; it must be 0, or 2 and more (30 is "
                "usual): the spread over splits is what is looked at"
            )
        if self.size not in SIZES:
            raise ArgumentError(f"the size is {self.size!r}; it is one of {', '.join(SIZES)}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ArgumentError(f"dropout is {self.dropout}; it is a share, from 0 to below 1")
        if not 0 <= self.weight_decay < float("inf"):
            raise ArgumentError(f"the weight decay is {self.weight_decay}; it is 0 or more")
        find_checks(self.skip_checks)
        if self.task is not None:
            check_task(self.task)
        if self.out is not None:
            check_folder(self.out)

    @cached_property
    def ends(self) -> float | None:
        """When all must be done, by `time.monotonic()`; None where there is time."""
        if self.time is None:
            return None
        if isinstance(self.time, str):
            return self.began + seconds(self.time)
        if not 0 < self.time < float("inf"):
            raise ArgumentError(
                f'time is {self.time}; give seconds above 0, or a duration such as "10m"'
            )
        return self.began + self.time

    @cached_property
    def classes(self) -> "dict[str, type[Cell]]":
        """The cells by name: what is wrong with a class is said here, and needs torch.

        Raises:
            UnknownCellError: there is no cell of a name, or a class is none.
            ArgumentError: a file cannot be read or run, or two cells have one name.
        """
        if self.tournament:
            return every_cell()
        classes = [find_cell(cell) for cell in self.cells]
        _check_named_once([cell_name(cell) for cell in classes])
        named = {cell_name(cell): cell for cell in classes}
        for name, cell in named.items():
            if find_cell(name) is not cell:
                raise ArgumentError(
                    f"another cell is named {name} too; give one class another name"
                )
        return named

    @property
    def tournament(self) -> bool:
        """Whether all cells are to be compared, most of them only until they fall behind."""
        return tuple(self.cells) == (ALL,)

    @cached_property
    def folder(self) -> Path:
        """The folder to write to: `out`, or a temporary one that is made now."""
        return Path(tempfile.mkdtemp(prefix="penstock-")) if self.out is None else self.out

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Those to try for each cell, each once."""
        return LEARNING_RATES if self.rates is None else tuple(dict.fromkeys(self.rates))

    def _check_cells(self) -> None:
        """Raise for what can be seen of the cells without torch."""
        if not self.cells:
            raise ArgumentError("no cell to compare; name some, such as rnn,lstm,gru")
        names = [cell for cell in self.cells if isinstance(cell, str)]
        if ALL in names:
            if len(self.cells) > 1:
                raise ArgumentError("all is every cell; give it alone, or name some")
            return
        for name in names:
            check_name(name)
        _check_named_once(names)


def _check_named_once(names: Sequence[str]) -> None:
    if len({*names}) < len(names):
        raise ArgumentError(f"a cell is named twice in {','.join(names)}; name each once")


def _check_rates(rates: Sequence[float]) -> None:
    if not rates or not all(0 < rate < float("inf") for rate in rates):
        given = ",".join(f"{rate:g}" for rate in rates)
        raise ArgumentError(f"the learning rates are {given!r}; give numbers above 0: 1e-3,1e-2")


def _check_above_0(name: str, number: int | None) -> None:
    if number is not None and number < 1:
        raise ArgumentError(f"{name} is {number}; it must be at least 1")
