"""The end of a run: each cell's best trial is saved as a model and looked into."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from penstock.comparison.inspection import Health, diagnose
from penstock.comparison.judging.clock import Outcomes
from penstock.comparison.keeping.chosen import Chosen, choose, of_each
from penstock.comparison.keeping.files import save_model, written
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.trial import Job, kept_network
from penstock.comparison.trials.workers import one_thread
from penstock.record.contestants import CellContestant, Contestant, Trial, baselines_among


@dataclass(frozen=True)
class Finish:
    """What is made of trials that are done.

    Attributes:
        design: of the comparison.
        out: its folder.
        root: the folder of trials.
        until: when models must not be looked into any more, by `time.monotonic()`.
        columns: that were read, for the models' files.
    """

    design: Design
    out: Path
    root: Path
    until: float
    columns: Any

    def completed(
        self, entrants: Sequence[Contestant], outcomes: Mapping[str, Outcomes]
    ) -> tuple[list[Contestant], list[str]]:
        """Return contestants with their models saved and looked into, and what could not be."""
        chosen = choose(outcomes)
        unsaved = self._save_models(chosen)
        self._save_baselines(entrants)
        health, unknown = self._looked_into(chosen)
        completed = [
            replace(
                one,
                health=health.get(one.name, {}),
                model=None if one.name in unsaved else one.model,
            )
            if isinstance(one, CellContestant)
            else one
            for one in entrants
        ]
        return completed, [*unsaved.values(), *unknown.values()]

    def _looked_into(self, chosen: Chosen) -> tuple[dict[str, Health], dict[str, str]]:
        """Return memory span and gradient growth of each cell's best trial, or why they lack.

        They are of one direction: of layers that read from both ends nothing is said.
        """
        if self.design.bidirectional:
            return {}, {}
        task, root, until = self.design.task, self.root, self.until

        def look(job: Job, trial: Trial) -> Health:
            with one_thread():
                return diagnose(task, kept_network(task, job, trial.best_round, root))

        return of_each(chosen, "Memory span and gradients", look, until)

    def _save_models(self, chosen: Chosen) -> dict[str, str]:
        """Write each cell's best trial as a model; return which cannot be, and why."""

        def save(job: Job, trial: Trial) -> None:
            about = {
                "kind": "cell",
                "name": job.cell,
                **self._known(trial.metrics),
                "structure": asdict(job.structure),
                "seed": job.seed,
                **written(self.design.cells[job.cell]),
            }
            network = kept_network(self.design.task, job, trial.best_round, self.root)
            save_model(self.out / "models" / job.cell, network.state_dict(), about)

        return of_each(chosen, "The model", save)[1]

    def _save_baselines(self, entrants: Sequence[Contestant]) -> None:
        """Write each baseline as a model."""
        for one in baselines_among(entrants):
            about = {"kind": "baseline", "name": one.name, **self._known(one.metrics)}
            weights = self.design.task.baselines[one.name].weights()
            save_model(self.out / "models" / one.name, weights, about)

    def _known(self, metrics: dict[str, float]) -> dict[str, Any]:
        """Return what the file of any model says."""
        task = self.design.task
        return {
            "task": task.name,
            "spec": task.spec,
            "settings": task.settings,
            "columns": self.columns,
            "metrics": metrics,
        }
