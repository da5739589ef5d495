"""Judging: contestants, their differences, the checks and the verdict."""
