"""Data that come with Penstock."""

from importlib import resources

from penstock.data.readers import read
from penstock.data.series import Dataset


def sunspots() -> Dataset:
    """Return the yearly numbers of sunspots, 1700 to 2008 (309 values), one series.

    Source: National Geophysical Data Center (NOAA), as shipped by statsmodels 0.15
    (``statsmodels.datasets.sunspots``). Public domain.
    """
    with resources.as_file(resources.files("penstock.data") / "sunspots.csv") as path:
        return read(path)
