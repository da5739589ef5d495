"""Subcommands that use or look into a trained model."""
