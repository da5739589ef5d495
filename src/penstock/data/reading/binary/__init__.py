"""Arrays and typed tables in files."""
