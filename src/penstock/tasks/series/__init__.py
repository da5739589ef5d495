"""Tasks on series in time."""
