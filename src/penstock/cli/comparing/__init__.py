"""Subcommands that read data: to compare cells on them, to say what they hold, to report."""
