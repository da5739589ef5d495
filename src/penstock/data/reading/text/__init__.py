"""Text files → tables of text."""
