"""The tables of a comparison as text: for the terminal, the reports and the CSV file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.record.contestants import (
    BaselineContestant,
    Bounds,
    CellContestant,
    Contestant,
    Trial,
    cells_among,
)
from penstock.record.results import Record
from penstock.record.structure import Setting

_DASH = "–"
_BILLION = 1e9


@dataclass(frozen=True)
class Column:
    """A column of the table of contestants.

    Attributes:
        head: its name.
        meaning: of its numbers, in words.
        cell: what it shows of a contestant.
        wide: left out where there is little room.
    """

    head: str
    meaning: str
    cell: Callable[[Contestant], str]
    wide: bool = False


def columns(results: Record) -> list[Column]:
    """Return the columns of the table of contestants."""
    score, *others = results.metrics
    seeds = "mean over seeds" if len(results.seeds) > 1 else "one seed"
    other = "other seeds and other" if len(results.seeds) > 1 else "other"
    spread = f"{seeds} ± half the 95 % interval of what {other} test data would change"
    meanings = results.meanings

    def meant(metric: str) -> str:
        return f"{meanings[metric]}; " if metric in meanings else ""

    steps = "of matrix products in one time step of one sequence"
    return [
        Column("contestant", f"a cell or a baseline, by {score}", lambda one: one.name),
        Column("kind", "cell; or baseline: blind to the input, naive, classical", _kind, True),
        Column(score, f"{meant(score)}on test data: {spread}", _plus_minus(score)),
        Column("same clock", f"{score} in the time the fastest cell trains", _at_clock(score)),
        *(
            Column(metric, f"{meant(metric)}± as {score}", _plus_minus(metric), place > 0)
            for place, metric in enumerate(others)
        ),
        Column("trials", "that were measured, of those begun", _of_cell(_trials), wide=True),
        Column("params", "learned values of the recurrent layers", _of_cell(_recurrent)),
        Column("other params", "those of embeddings and head", _of_cell(_other), wide=True),
        Column("width", "hidden units of a layer, times layers", _of_cell(_width), wide=True),
        Column("FLOPs/step", steps, _of_cell(_flops)),
        Column("rate", "the learning rate that validation chose", _of_cell(_rate), wide=True),
        Column("ms/step", "of one optimisation step, at its quickest", _time("step", 1000)),
        Column("train s", "seconds to train one seed", _time("train"), wide=True),
        Column(
            "predict s",
            "seconds to predict all test windows, at the quickest",
            _time("predict"),
            wide=True,
        ),
    ]


def trial_rows(results: Record) -> list[list[str]]:
    """Return a row for each trial, in the order of TRIAL_HEADS."""
    score = results.metrics[0]
    return [
        [
            one.name,
            f"seed {trial.seed}" if purpose == "test" else purpose,
            *_setting(trial.setting),
            trial.status,
            trial.ended,
            _loss(trial),
            f"{trial.metrics[score]:.4g}" if trial.metrics else _DASH,
        ]
        for one, purpose, trial in trials(results)
    ]


STANDING_HEADS = ("place", "cell", "rounds", "validation loss")


def standings(results: Record) -> list[list[str]]:
    """Return a row for each cell of a tournament, in the order of STANDING_HEADS."""
    return [
        [
            str(place),
            one["cell"],
            str(one["rounds"]),
            _DASH if one["loss"] is None else f"{one['loss']:.4g}",
        ]
        for place, one in enumerate(results.tournament, start=1)
    ]


SPLIT_HEADS = ("contestant", "mean over splits", "lowest", "highest")


def splits(results: Record) -> list[list[str]]:
    """Return a row for each contestant on other splits, the best first, as in SPLIT_HEADS."""
    scores = {} if results.resplits is None else results.resplits.scores
    means = {name: sum(of) / len(of) for name, of in scores.items()}
    return [
        [name, *(f"{value:.4g}" for value in (means[name], min(scores[name]), max(scores[name])))]
        for name in sorted(means, key=lambda name: means[name])
    ]


def trials(results: Record) -> Iterator[tuple[CellContestant, str, Trial]]:
    """Give each trial with its cell and what it was for, as in the table of trials."""
    for one in cells_among(results.contestants):
        yield from ((one, purpose, trial) for purpose, trial in _trials_of(one))


TRIAL_HEADS = (
    "cell", "for", "rate", "params", "layers", "dropout", "context", "status", "ended by",
    "validation loss", "score",
)  # fmt: skip


def records(results: Record) -> Iterator[dict[str, Any]]:
    """Give a record for each trial and each baseline, for results.csv."""
    for one in results.contestants:
        about = {"contestant": one.name, "kind": one.kind, "rank": one.rank}
        if isinstance(one, BaselineContestant):
            yield {**about, "purpose": "test", "status": "finished", **one.metrics}
            continue
        cost = {
            "recurrent_parameters": one.recurrent_parameters,
            "all_parameters": one.parameters,
            "flops": one.flops_per_step,
        }
        for purpose, trial in _trials_of(one):
            yield {
                **about,
                "purpose": purpose,
                "seed": trial.seed,
                **vars(trial.setting),
                "status": trial.status,
                "ended": trial.ended,
                "best_round": trial.best_round,
                "validation_loss": trial.losses[trial.best_round][1] if trial.losses else None,
                **trial.metrics,
                **cost,
                "train_seconds": trial.times.get("train"),
                "predict_seconds": trial.times.get("predict"),
            }


def number(value: float) -> str:
    """Return a number in three digits; from a thousand to a billion whole."""
    value += 0.0  # of -0.0 it makes 0.0
    return f"{value:,.0f}" if 1000 <= abs(value) < _BILLION else f"{value:.3g}"


def plus_minus(mean: float, interval: Bounds | None) -> str:
    """Return "1.17 ± 0.05", or the mean alone where there is no interval."""
    return number(mean) + (f" ± {(interval[1] - interval[0]) / 2:.2g}" if interval else "")


def _plus_minus(metric: str) -> Callable[[Contestant], str]:
    return lambda one: (
        plus_minus(one.metrics[metric], one.intervals.get(metric)) if one.metrics else _DASH
    )


def _kind(one: Contestant) -> str:
    return one.kind


def _of_cell(shown: Callable[[CellContestant], str]) -> Callable[[Contestant], str]:
    """Return what a column shows that means something for cells alone."""
    return lambda one: shown(one) if isinstance(one, CellContestant) else _DASH


def _at_clock(score: str) -> Callable[[Contestant], str]:
    return _of_cell(
        lambda one: number(one.times["same_clock"]["metrics"][score]) if one.times else _DASH
    )


def _time(name: str, unit: float = 1) -> Callable[[Contestant], str]:
    return _of_cell(lambda one: f"{unit * one.times[name]:.2g}" if one.times else _DASH)


def _trials(one: CellContestant) -> str:
    return f"{len(one.measured)} of {len(one.trials)}"


def _recurrent(one: CellContestant) -> str:
    return f"{one.recurrent_parameters:,}"


def _other(one: CellContestant) -> str:
    return f"{one.parameters - one.recurrent_parameters:,}"


def _width(one: CellContestant) -> str:
    return f"{one.structure.width} × {one.structure.layers}"


def _setting(setting: Setting) -> list[str]:
    return [
        f"{setting.learning_rate:g}",
        f"{setting.parameters:,}",
        str(setting.layers),
        f"{setting.dropout:g}",
        _DASH if setting.context is None else str(setting.context),
    ]


def _flops(one: CellContestant) -> str:
    return f"{one.flops_per_step:,}"


def _rate(one: CellContestant) -> str:
    return f"{one.setting.learning_rate:g}"


def _trials_of(one: CellContestant) -> Iterator[tuple[str, Trial]]:
    yield from (("test", trial) for trial in one.trials)
    yield from (("tuning", trial) for trial in one.tuning)


def _loss(trial: Trial) -> str:
    loss = trial.losses[trial.best_round][1] if trial.losses else None
    return _DASH if loss is None else f"{loss:.4g}"
