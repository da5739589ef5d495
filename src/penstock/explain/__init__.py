"""What follows from a cell's equations: their text and LaTeX, counts, and class of recurrence."""
