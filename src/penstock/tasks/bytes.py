"""Language models of bytes, for text in no known encoding and for any other file."""

from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.text import is_utf8
from penstock.tasks.text import Characters


class Bytes(Characters):
    """A language model of bytes; as `Characters`."""

    unit = "byte"
    name = "bytes"
    metrics = ("bits per byte", "perplexity")
    profile_of = "most frequent bytes"

    @classmethod
    def suits(cls, source: Source, options: Options) -> str:  # noqa: ARG003
        """Return why a source is to be read as bytes."""
        wrong = source.text is not None and not is_utf8(source.text)
        return "the file is no UTF-8, so its bytes are learned" if wrong else ""
