"""Tasks on sequences with labels: a class or a number for each, or a label for every step."""
