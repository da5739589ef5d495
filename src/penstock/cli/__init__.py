"""The command `penstock`; each public file in a wing is a subcommand."""
