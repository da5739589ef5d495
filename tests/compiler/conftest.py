"""The fixture that several modules use."""

from building import cache

__all__ = ["cache"]
