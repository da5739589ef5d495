"""What is drawn depends on the data and on the seed alone: cells draw the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from comparing import QUICK, walk

from penstock.comparison.trials import trial
from penstock.comparison.trials.trial import Job, make_training
from penstock.record.structure import Structure
from penstock.tasks.series.forecast import FORECAST


def job(data: str, seed: int = 0, cell: str = "rnn", **more: Any) -> Job:
    task, budget = FORECAST.prepare(walk(0)), replace(QUICK, **more)
    return Job.make(task, data, cell, Structure(3), seed, budget, "test", 4000)


def test_the_same_data_have_the_same_luck_and_others_have_not() -> None:
    assert job("a").luck == job("a", learning_rate=0.1).luck == job("a", cell="gru").luck
    drawn = [job(data, seed).luck for data in ("a", "b", "c") for seed in range(5)]
    assert len({*drawn}) == 15


def test_weights_and_batches_are_drawn_by_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, weights, seeds = FORECAST.prepare(walk(0)), [], []

    class StoppedError(Exception):
        pass

    def stop(self: Any, *_: Any) -> None:
        weights.append(torch.cat([w.flatten() for w in self.network.parameters()]))
        seeds.append(self.seed)
        raise StoppedError

    monkeypatch.setattr(trial.Training, "run", stop)
    for data in ("a", "a", "b"):
        with pytest.raises(StoppedError):
            trial.run_trial(task, job(data), tmp_path / data)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert seeds[0] == seeds[1] != seeds[2]
    assert make_training(task, job("a"), tmp_path).seed == seeds[0]
    assert np.isfinite(weights[0].detach().numpy()).all()
