"""What a search may try, and which settings it tries: the same number for every cell.

Each choice is an ordered list, and a setting is a place in each. Where all combinations are few,
all are tried. Where they are many, the first are spread evenly by a scrambled Sobol sequence, the
same for every cell, and later ones are drawn near what was good, for each cell by itself, by the
tree-structured Parzen estimator (Bergstra et al. 2011). Both are Optuna's.

Optuna's pruners are not used: they decide when a trial happens to report, so that which trials go
on would depend on how busy the machine is. `penstock.comparison.trials.search` halves in step.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from penstock.record.structure import Setting

if TYPE_CHECKING:
    import optuna

_ASKED = 20  # times for a setting that is new


@dataclass(frozen=True)
class Space:
    """The choices of each part of a `Setting`, in order; the first usual one is said by `usual`."""

    learning_rate: tuple[float, ...]
    parameters: tuple[int, ...]
    layers: tuple[int, ...] = (1,)
    dropout: tuple[float, ...] = (0.0,)
    context: tuple[int | None, ...] = (None,)
    usual: Setting | None = None

    @property
    def size(self) -> int:
        """How many settings there are."""
        return prod(map(len, self.choices().values()))

    def generations(self, asked: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many settings are tried at a time: none where there is no choice.

        Where there are no more than are asked for at first, it is all of them.
        """
        if self.size == 1:
            return ()
        return (self.size,) if asked and self.size <= asked[0] else asked

    def every(self) -> list[Setting]:
        """Return all settings, the usual one first."""
        whole = [
            _setting(dict(zip(self.choices(), values, strict=True)))
            for values in product(*self.choices().values())
        ]
        return sorted(whole, key=lambda one: one != self.first())

    def first(self) -> Setting:
        """Return the usual setting, or that of the first choices."""
        return self.usual or _setting({name: of[0] for name, of in self.choices().items()})

    def choices(self) -> dict[str, tuple[float | int | None, ...]]:
        """Return the choices of each part of a setting, by its name."""
        return {one.name: getattr(self, one.name) for one in fields(Setting)}

    def places(self) -> "dict[str, optuna.distributions.BaseDistribution]":
        """Return the places among the choices of each part that has several."""
        from optuna.distributions import IntDistribution  # noqa: PLC0415  (it takes a second)

        several = {name: of for name, of in self.choices().items() if len(of) > 1}
        return {name: IntDistribution(0, len(of) - 1) for name, of in several.items()}

    def at(self, places: dict[str, int]) -> Setting:
        """Return the setting at places among the choices; the first where none is said."""
        return _setting({name: of[places.get(name, 0)] for name, of in self.choices().items()})

    def place_of(self, setting: Setting) -> dict[str, int]:
        """Return the places of a setting."""
        return {name: self.choices()[name].index(getattr(setting, name)) for name in self.places()}


class Sampler:
    """The settings to try for one cell.

    Args:
        space: what may be tried.
        seed: of all that is drawn; cells with one seed begin alike.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed
        self._study: optuna.Study | None = None
        self._asked: dict[Setting, optuna.trial.Trial] = {}

    def ask(self, count: int) -> list[Setting]:
        """Return up to so many settings that were not returned before."""
        before = len(self._asked)
        if self._space.size <= count:
            return self._space.every() if not before else []
        study = self._begun()
        for _ in range(_ASKED * count):
            trial = study.ask(self._space.places())
            setting = self._space.at(trial.params)
            if setting in self._asked:
                study.tell(trial, state=_states().FAIL)
            else:
                self._asked[setting] = trial
            if len(self._asked) == before + count:
                break
        return list(self._asked)[before:]

    def tell(self, losses: Sequence[tuple[Setting, int, float]]) -> None:
        """Hear of each setting the rounds that it was trained for, and the best validation loss.

        What is asked for next is drawn near the best of these.
        """
        if self._study is None:
            return
        most = max((rounds for _, rounds, _ in losses), default=0)
        for setting, rounds, loss in losses:
            trial = self._asked[setting]
            trial.report(loss, rounds)
            state = _states().COMPLETE if rounds == most else _states().PRUNED
            self._study.tell(trial, loss if rounds == most else None, state=state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so does this
            self._study.sampler = _optuna().samplers.TPESampler(
                seed=self._seed, n_startup_trials=0, multivariate=True, constant_liar=True
            )

    def _begun(self) -> "optuna.Study":
        if self._study is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that it is experimental
                sampler = _optuna().samplers.QMCSampler(
                    seed=self._seed, scramble=True, warn_independent_sampling=False
                )
            self._study = _optuna().create_study(sampler=sampler)
            self._study.enqueue_trial(self._space.place_of(self._space.first()))
        return self._study


def _setting(parts: dict[str, Any]) -> Setting:
    return Setting(**parts)


def _optuna() -> Any:
    """Return Optuna, which says nothing of what it does."""
    import optuna  # noqa: PLC0415  (it takes a second)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _states() -> Any:
    return _optuna().trial.TrialState
