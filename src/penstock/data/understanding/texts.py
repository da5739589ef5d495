"""What is understood of text and of frames of ones and zeros."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.files import Source
from penstock.data.reading.text.encodings import to_utf8
from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.suits import Facts, decide
from penstock.data.understanding.understanding import Understanding
from penstock.errors import DataError


def understand_text(source: Source, task: str | None, remarks: Remarks) -> Understanding:
    """Return a text as characters or, where it is no text or so wanted, as bytes."""
    assert source.text is not None
    try:
        text, encoding = to_utf8(source.text)
    except DataError:
        text, encoding = source.text, ""
    if encoding not in ("", "utf-8"):
        remarks.converted(f"decoded from {encoding.upper()}")
    suit = decide(Facts("text" if encoding else "bytes"))
    task = task or suit.task
    size = len(source.text) if task == "bytes" else len(text.decode())
    return Understanding(
        source.name, task, suit.why, 1, size, (size, size, size),
        conversions=tuple(remarks.conversions), notes=tuple(remarks.notes),
    )  # fmt: skip


def understand_frames(
    name: str, arrays: dict[str, NDArray[Any]], remarks: Remarks
) -> Understanding:
    """Return arrays of ones and zeros as frames, a sequence each."""
    lengths = [len(one) for one in arrays.values()]
    width = next(iter(arrays.values())).shape[1]
    columns, suit = [str(k) for k in range(width)], decide(Facts("arrays", binary=True))
    return Understanding(
        name, suit.task, suit.why, len(arrays), sum(lengths),
        (min(lengths), int(np.median(lengths)), max(lengths)),
        roles=dict.fromkeys(columns, "target"), kinds=dict.fromkeys(columns, "boolean"),
        conversions=tuple(remarks.conversions), notes=tuple(remarks.notes),
    )  # fmt: skip
