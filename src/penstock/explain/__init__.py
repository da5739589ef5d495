"""What follows from a cell's equations, and what a trained network makes of its data.

From the equations: their text and LaTeX, counts, and class of recurrence. From a network and data:
gradient flow, memory span, gates, the effects of clipping and of pruning.
"""
