"""Language models of bytes, for text in no known encoding and for any other file."""

from penstock.tasks.following.symbols import ByteProblem, text_task

BYTES = text_task("bytes", "byte", ByteProblem)
