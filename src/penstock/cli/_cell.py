"""How a cell is named on the command line."""

HELP = "A cell's name (`penstock cells` lists them), or one of your own: file.py:MyCell."
