"""Sequences with labels, pieces of them, and their inputs as tensors."""
