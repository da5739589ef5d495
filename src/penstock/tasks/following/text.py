"""Language models: each character of a text from those before it."""

from penstock.tasks.following.symbols import TextProblem, text_task

TEXT = text_task("text", "character", TextProblem)
