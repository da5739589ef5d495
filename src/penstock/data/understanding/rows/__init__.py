"""The rows in the order of time, on a grid, and what is said of them."""
