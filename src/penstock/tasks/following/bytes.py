"""Language models of bytes, for text in no known encoding and for any other file."""

from penstock.tasks.following.language import text_task
from penstock.tasks.following.symbols import ByteProblem

BYTES = text_task("bytes", "byte", ByteProblem)
