"""A source → what it holds: roles, kinds, times, layout, and what looks odd. No torch."""

from penstock.data.understanding.describe import describe
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Table, Understanding

__all__ = ["Table", "Understanding", "describe", "understand"]
