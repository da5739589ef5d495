"""`penstock.load`: a trained network, or a baseline, used on other data."""

import warnings
from pathlib import Path
from typing import Any

import polars as pl
from torch import nn

from penstock.comparison.keeping.files import load_model
from penstock.comparison.keeping.native import Native, native_of
from penstock.data.files import Source
from penstock.data.understanding.describe import source_of
from penstock.exporters import export
from penstock.tasks import find_task
from penstock.tasks.codec import Evaluated


class Model:
    """A trained network, or a baseline, and what it needs to be used on other data.

    Attributes:
        name: of its cell or method.
        network: the module that predicts.
        about: what its file says: kind, task, settings, columns, and its errors in the comparison.
    """

    def __init__(
        self, network: nn.Module, about: dict[str, Any], native: Native | None = None
    ) -> None:
        self.name: str = about["name"]
        self.network, self.about, self._native = network, about, native

    def apply(self, source: Source) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return predictions for a source, and notes on them."""
        return find_task(self.about["task"]).codec.apply(self.network, self.about["spec"], source)

    def measure(self, source: Source) -> Evaluated:
        """Return the metrics on a source, and notes on them."""
        return find_task(self.about["task"]).codec.evaluate(
            self.network, self.about["spec"], source
        )

    def evaluate(self, data: Any) -> dict[str, float]:
        """Return the metrics of the task on all of other data, which hold what is to be predicted.

        It is what `predict` makes of the data that is measured: of sequences, whole, those with a
        label that the model knows; of text and frames every one but the first, in one pass; of
        series the forecasts from each place in them, up to 4000, each scaled by what came before
        it, where MASE and pinball are in the unit mean |y_t − y_{t−m}| of the series given. What
        was left out is a warning.

        Raises:
            DataError: the data or one of their cells cannot be used, or there are no labels.
        """
        metrics, notes = self.measure(source_of(data))
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return metrics

    def predict(self, data: Any) -> Any:
        """Return predictions for other data, as a dataframe of their kind.

        Of series, what comes after their ends; of sequences, the label of each. Data that are no
        dataframe give one of the kind that the model was trained on, or of polars. What had to be
        decided about the data is a warning.

        Raises:
            DataError: the data or one of their cells cannot be used.
        """
        frame, notes = self.apply(source_of(data))
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return native_of(data, self._native)(frame)

    def export(self, path: str | Path, **options: Any) -> Path:
        """Write it in the format of the path's ending; see `penstock.export`."""
        return export(self, path, **options)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.about['kind']}, {self.about['task']})"


def load(path: str | Path, name: str | None = None) -> Model:
    """Return a model: of a comparison's folder that of `name`, or else the one to take.

    That is the cell that the verdict recommends, or the baseline where no cell beats it.

    ```python
    import penstock

    penstock.compare("sunspots", ["gru"], size="small", seeds=1, steps=40, out="found")
    model = penstock.load("found", "gru")
    model.predict("sunspots.csv")
    ```

    Args:
        path: the folder that a comparison left, or a model's file.
        name: of a cell, or of a baseline.

    Raises:
        ModelFileError: there is no such model, or its files are damaged.
        UnknownCellError: its cell is one of a user's; the message says which to import first.
    """
    return Model(*load_model(Path(path), name))
