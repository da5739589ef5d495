"""Names of columns that say what they hold, and columns as a user names them."""

from collections.abc import Iterable, Sequence

from penstock.errors import ArgumentError, nearest

LABELS = ("label", "labels", "class", "tag", "tags")
IDS = ("unique_id", "id", "sequence_id", "sequence", "series_id", "series_name", "series",
       "item_id", "case_id", "sample_id", "record_id", "piece", "uid", "sentence_id", "sent_id",
       "sentence #", "document_id", "doc_id")  # fmt: skip
TIMES = ("ds", "date", "datetime", "date_time", "timestamp", "time", "day", "month", "year", "week",
         "period", "ts", "epoch", "unix_time", "step", "timestep", "time_step", "t")  # fmt: skip
SURE_TIMES = TIMES[:6]
COUNTERS = ("", "index", "level_0", "__index_level_0__", "rownames", "row", "row_id", "row_number",
            "no", "no.", "nr", "#")  # fmt: skip
GROUPS = ("speaker", "patient", "subject", "person", "user", "donor", "participant", "session",
          "recording", "group", "animal", "driver", "player", "author", "writer")  # fmt: skip
SEQUENCES = ("sequence", "seq", "text", "sentence", "tokens", "letters", "values", "series", "x")


def is_nameless(name: str) -> bool:
    """Whether a column had no name in its file: pandas and polars each give one of their own."""
    return not name or name.startswith(("Unnamed: ", "_duplicated_")) or name == "__index_level_0__"


def first_named(columns: Iterable[str], words: Sequence[str]) -> str | None:
    """Return the column whose name comes first among words, whatever its case."""
    lower = {name.strip().lower(): name for name in sorted(columns, reverse=True)}
    return next((lower[word] for word in words if word in lower), None)


def named(told: Iterable[str], columns: Sequence[str], option: str) -> tuple[str, ...]:
    """Return the columns that were told: each by its name, or several with commas between.

    Raises:
        ArgumentError: one is not there; the message suggests the nearest names.
    """
    columns_named: list[str] = []
    for text in told:
        parts = [text] if text in columns else [p.strip() for p in text.split(",") if p.strip()]
        for name in parts or [text]:
            if name not in columns:
                raise ArgumentError(
                    f"there is no column {name!r}, which {option} names: {nearest(name, columns)}"
                )
            columns_named.append(name)
    return tuple(dict.fromkeys(columns_named))
