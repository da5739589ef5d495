"""Language models of bytes, for text in no known encoding and for any other file."""

from penstock.tasks.text import Characters


class Bytes(Characters):
    """A language model of bytes; as `Characters`."""

    unit = "byte"
    name = "bytes"
    metrics = ("bits per byte", "perplexity")
    profile_of = "most frequent bytes"
