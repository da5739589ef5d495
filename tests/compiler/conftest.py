"""The fixtures that several modules use."""

from building import cache, soon

__all__ = ["cache", "soon"]
