"""Data that come with Penstock, by name."""

from collections.abc import Callable
from importlib import resources

from penstock.data.files import Source, load
from penstock.data.readers import read
from penstock.data.series import Dataset
from penstock.errors import ArgumentError, nearest


def samples() -> dict[str, Callable[[], Source]]:
    """Return what makes each sample, by name."""
    return {"sunspots": _sunspots}


def sample(name: str) -> Source:
    """Return the sample of that name.

    Raises:
        ArgumentError: there is none.
    """
    known = samples()
    if name not in known:
        raise ArgumentError(f"unknown sample {name!r}: {nearest(name, known)}")
    return known[name]()


def sunspots() -> Dataset:
    """Return the yearly numbers of sunspots, 1700 to 2008 (309 values), one series.

    Source: National Geophysical Data Center (NOAA), as shipped by statsmodels 0.15
    (``statsmodels.datasets.sunspots``). Public domain.
    """
    return read(sample("sunspots"))


def _sunspots() -> Source:
    with resources.as_file(resources.files("penstock.data") / "sunspots.csv") as path:
        return load(path)
