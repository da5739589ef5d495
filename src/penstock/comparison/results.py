"""What a comparison gives to Python: the verdict, a table, a plot, and the trained models."""

import shutil
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from penstock.comparison.keeping.native import Native
from penstock.comparison.report import figures, table
from penstock.record import markup
from penstock.record.contestants import CellContestant, Contestant
from penstock.record.results import Record, Verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from penstock.comparison.keeping.model import Model


class Results:
    """A comparison that is done. In a notebook it shows its verdict and its table.

    Attributes:
        record: all that was measured, as results.json has it.
        folder: where the models, the reports and results.json are.
    """

    def __init__(self, record: Record, folder: Path, native: Native, *, kept: bool = True) -> None:
        self.record, self.folder, self._native = record, folder, native
        if not kept:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def verdict(self) -> Verdict:
        """The answer: `kind`, `winner` and `recommended` (names or None), and `sentences`."""
        return self.record.verdict

    def table(self) -> Any:
        """Return a row a contestant, by rank, as a dataframe of the kind that the data were."""
        rows = [pl.DataFrame([_row(self.record, one)]) for one in self.record.contestants]
        return self._native(pl.concat(rows, how="diagonal_relaxed"))

    def plot(self) -> "go.Figure":
        """Return each contestant's score, with its 95 % interval, as a plotly figure."""
        return figures.errors(self.record)

    def model(self, name: str | None = None) -> "Model":
        """Return the trained model of that name; the one to take, if left out.

        Raises:
            ModelFileError: there is no model of that name.
        """
        from penstock.comparison.keeping.files import load_model  # noqa: PLC0415  (it needs torch)
        from penstock.comparison.keeping.model import Model  # noqa: PLC0415

        return Model(*load_model(self.folder, name), self._native)

    def __repr__(self) -> str:
        return "\n".join([*self.verdict.sentences, *self.verdict.times.get("sentences", [])])

    def _repr_html_(self) -> str:
        columns = [column for column in table.columns(self.record) if not column.wide]
        head, *reasons = self.verdict.sentences
        return markup.fragment(
            "notebook.html",
            verdict=head,
            reasons=reasons,
            heads=[column.head for column in columns],
            rows=[[column.cell(one) for column in columns] for one in self.record.contestants],
        )


def _row(record: Record, one: Contestant) -> dict[str, Any]:
    score = record.metrics[0]
    low, high = one.intervals.get(score) or (None, None)
    return {
        "contestant": one.name,
        "kind": one.kind,
        "rank": one.rank,
        **{metric: one.metrics.get(metric) for metric in record.metrics},
        f"{score} low": low,
        f"{score} high": high,
        **(_cost(one) if isinstance(one, CellContestant) else {}),
    }


def _cost(one: CellContestant) -> dict[str, Any]:
    return {
        "parameters": one.parameters,
        "recurrent parameters": one.recurrent_parameters,
        "flops per step": one.flops_per_step,
        "learning rate": one.setting.learning_rate,
        "trials": len(one.measured),
        "train seconds": one.times.get("train"),
        "predict seconds": one.times.get("predict"),
    }
