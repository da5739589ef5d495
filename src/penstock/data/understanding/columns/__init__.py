"""What each column is for, and what its labels ask."""
