"""Trials: what is to be trained, where it runs, when it ends, and what is kept of it."""
