"""What follows from a cell's equations alone: their text and LaTeX, counts, class of recurrence."""
