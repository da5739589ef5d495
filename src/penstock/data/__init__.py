"""From a file to windows: readers, splits in time and of sets, scaling, seasons, sample data."""

from penstock.data.files import Source, load
from penstock.data.readers import read
from penstock.data.samples import sunspots
from penstock.data.series import Columns, Dataset, Options, Series

__all__ = ["Columns", "Dataset", "Options", "Series", "Source", "load", "read", "sunspots"]
