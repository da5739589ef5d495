"""What the cells of a column are: numbers, truth values, times or text."""
