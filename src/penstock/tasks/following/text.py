"""Language models: each character of a text from those before it."""

from penstock.tasks.following.language import text_task
from penstock.tasks.following.symbols import TextProblem

TEXT = text_task("text", "character", TextProblem)
