"""Subcommands about cells, and about what runs them."""
