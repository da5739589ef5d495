"""From a file to windows: readers, chronological splits, scaling, seasons, sample data."""

from penstock.data.readers import read
from penstock.data.samples import sunspots
from penstock.data.series import Columns, Dataset, Series

__all__ = ["Columns", "Dataset", "Series", "read", "sunspots"]
