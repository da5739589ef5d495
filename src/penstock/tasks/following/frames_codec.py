"""How models of frames are kept, and how they go on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.following.frames import Frames, read_frames
from penstock.data.labelled.pieces import Pieces, whole
from penstock.data.series import Options
from penstock.errors import DataError
from penstock.models.carrying import FrameNetwork
from penstock.record.checked import conform, same_length
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec, Evaluated, at_rest
from penstock.tasks.following.frames_methods import METHODS
from penstock.tasks.following.frames_scores import Tally, read_through
from penstock.tasks.methods import Method


class FramesSpec(TypedDict):
    """The specification of a model of frames."""

    columns: list[str]
    id: str | None
    start: list[float]


class FramesCodec(Codec):
    """How models of frames are kept, and how they go on."""

    methods: Mapping[str, type[Method]] = METHODS

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, each with a logit."""
        conform(spec, FramesSpec, "spec")
        same_length("spec.start", spec["start"], spec["columns"])

    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return how many columns there are."""
        return {"outputs": len(spec["columns"])}

    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> FrameNetwork:
        """Return an untrained network with an output a column, at every step."""
        columns = len(spec["columns"])
        return FrameNetwork(cell, structure, columns, (), spec["start"], every_step=True)

    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id, and the probability of a one in each column of the frame that comes next."""
        data = _read(spec, source)
        runs = _runs(data)
        last = torch.empty(len(runs), len(spec["columns"]))
        ends = torch.full((len(data.values),), -1)
        ends[runs.starts + runs.lengths - 1] = torch.arange(len(runs))
        with at_rest(model):
            for rows, logits in read_through(model, torch.from_numpy(data.values), runs):
                at_end = ends[rows] >= 0
                last[ends[rows[at_end]]] = logits[at_end].float()
        shares = last.sigmoid().numpy()
        columns = {f"p_{name}": shares[:, k] for k, name in enumerate(spec["columns"])}
        return pl.DataFrame({"id": data.ids, **columns}), ()

    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return the metrics over all frames but the first of each sequence, read in one pass."""
        data = _read(spec, source)
        if data.offsets[-1] == len(data.ids):
            raise DataError(f"{data.name}: no sequence has two frames; nothing is left to predict")
        values, runs, tally = torch.from_numpy(data.values), _runs(data), Tally()
        but_the_last = Pieces(runs.starts, runs.lengths - 1, runs.owners)
        with at_rest(model):
            for rows, logits in read_through(model, values, but_the_last):
                tally += Tally.of(logits.double().sigmoid(), values[rows + 1].double())
        return tally.metrics(), ()


def _read(spec: dict[str, Any], source: Source) -> Frames:
    """Return the frames of other data.

    Raises:
        DataError: they are none, or have another number of columns.
    """
    target = () if source.arrays is not None else tuple(spec["columns"])
    data = read_frames(source, Options(target=target, id=spec["id"]))
    if len(data.columns) != len(spec["columns"]):
        raise DataError(
            f"{source.name} has {len(data.columns)} columns; the model learned from "
            f"{len(spec['columns'])}"
        )
    return data


def _runs(data: Frames) -> Pieces:
    """Return all sequences, whole."""
    return whole(data.offsets, np.arange(len(data.ids)))
