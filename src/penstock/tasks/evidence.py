"""What a task tells the checks of a comparison about its data."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 5000  # training windows looked at, evenly spread


@dataclass(frozen=True)
class Evidence:
    """A look at training windows, when training ends and testing begins, and what looks odd.

    Attributes:
        targets: [N] what is to be predicted: the label, or the change of the value in one step.
        labels: whether the targets are labels, whose order means nothing.
        columns: of each column beside the target, [N, J] numbers that the network sees.
        trained_until, tested_from: the last time in any training window, and the first to be
            predicted in a test window; None where there are no times that sequences share.
        like_groups: columns whose values several sequences share, and that were not named; None
            where the data are not sequences with labels.
        memory, tested: for how many steps errors of forecasts go together, and how many steps of
            time the test has; None where the test is no stretch of time of few series.
        irregular: whether there is no step between times that most rows keep; None without times.
    """

    targets: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    labels: bool = False
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    trained_until: Any = None
    tested_from: Any = None
    like_groups: tuple[str, ...] | None = None
    memory: int | None = None
    tested: int | None = None
    irregular: bool | None = None
