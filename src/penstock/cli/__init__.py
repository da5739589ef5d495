"""The command `penstock`; each file here but main.py is a subcommand."""
