"""From a file to windows: readers, splits in time and of sets, scaling, seasons, sample data."""

from penstock.data.files import Source
from penstock.data.forecasting.readers import read, sunspots
from penstock.data.reading import read_source as load
from penstock.data.series import Columns, Dataset, Options, Series

__all__ = ["Columns", "Dataset", "Options", "Series", "Source", "load", "read", "sunspots"]
