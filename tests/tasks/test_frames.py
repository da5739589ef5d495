from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torchmetrics.functional.classification import binary_jaccard_index

from penstock.data import Options, Source, load
from penstock.data.following.frames import read_frames
from penstock.data.samples import sample
from penstock.errors import ArgumentError, DataError
from penstock.record.structure import Structure
from penstock.tasks import linear
from penstock.tasks.following.frames import FRAMES, FrameBaselines


def prepared(source: Source) -> Any:
    return FRAMES.prepare(FRAMES.read(source, Options()))


@pytest.fixture(scope="module")
def canon() -> Any:
    return prepared(sample("canon"))


def test_cutting_is_said(canon: Any) -> None:
    assert not canon.notes
    values = np.random.default_rng(0).integers(0, 2, (1000, 8))
    table = pl.DataFrame(values, schema=[f"n{k}" for k in range(8)])
    assert "pieces of 200" in prepared(Source("long.csv", table)).notes[0]


def pairs(task: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each frame of a part that is predicted, and the one before it."""
    before, after, pieces = [], [], task.problem.parts[part]
    for start, length in zip(pieces.starts.tolist(), pieces.lengths.tolist(), strict=True):
        before.append(task.data.values[start : start + length - 1])
        after.append(task.data.values[start + 1 : start + length])
    return np.concatenate(before), np.concatenate(after)


def test_baselines_by_hand(canon: Any) -> None:
    last, following = pairs(canon, "test")
    before, after = pairs(canon, "train")
    found = {name: one.predict() for name, one in canon.baselines.items()}
    on = (after[before == 1].sum() + 1) / ((before == 1).sum() + 2)
    off = (after[before == 0].sum() + 1) / ((before == 0).sum() + 2)
    assert found["last frame"].numpy() == pytest.approx(np.where(last == 1, on, off))
    train = canon.data.values[canon.problem.parts["train"].all_rows()]
    expected = (train.sum(0) + 1) / (len(train) + 2)
    assert found["column frequencies"][5].numpy() == pytest.approx(expected)
    assert found["last frame"].shape == following.shape
    ons, offs = before.sum(0), (1 - before).sum(0)
    after_on = ((before * after).sum(0) + on) / (ons + 1)
    after_off = (((1 - before) * after).sum(0) + off) / (offs + 1)
    markov = found["Markov chain of each column"].numpy()
    assert markov == pytest.approx(np.where(last == 1, after_on, after_off))


def test_logistic_regression_on_the_last_frame_is_at_the_minimum(
    canon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "_PENALTIES", (10.0,))
    monkeypatch.setattr(linear, "_STEPS", 400)
    method = FrameBaselines(canon.problem, {"outputs": 12})()["logistic on the last frame"]
    before, after = pairs(canon, "train")
    for column in range(12):
        theirs = LogisticRegression(C=0.1, tol=1e-8).fit(before, after[:, column])
        assert method.weight[column].numpy() == pytest.approx(theirs.coef_[0], abs=0.02)


def test_the_context_is_how_long_pieces_are(canon: Any) -> None:
    task = FRAMES.prepare(FRAMES.read(sample("canon"), Options()), context=16)
    assert int(task.problem.parts["train"].lengths.max()) == 16
    assert "pieces of 16" in task.notes[0]
    with pytest.raises(ArgumentError, match="two frames"):
        FRAMES.prepare(FRAMES.read(sample("canon"), Options()), context=1)


def test_scores(canon: Any) -> None:
    _, following = pairs(canon, "test")
    p = np.random.default_rng(0).uniform(0.01, 0.99, following.shape)
    found = canon.problem.measure(torch.from_numpy(p))
    losses = -np.where(following == 1, np.log(p), np.log1p(-p))
    assert found.metrics["NLL per frame"] == pytest.approx(losses.sum(1).mean())
    assert found.profile == pytest.approx(losses.mean(0))
    jaccard = binary_jaccard_index(torch.from_numpy(p), torch.from_numpy(following.astype(int)))
    assert found.metrics["frame accuracy"] == pytest.approx(float(jaccard))


def test_an_untrained_network_has_the_frequencies_of_columns(canon: Any) -> None:
    found = canon.problem.predict(canon.network("lstm", Structure(4)))
    assert torch.allclose(found, canon.baselines["column frequencies"].predict(), atol=1e-6)


def test_the_loss_is_that_of_the_frames_inside(canon: Any) -> None:
    network = canon.network("rnn", Structure(4))
    torch.nn.init.normal_(network.head.weight)  # type: ignore[union-attr, arg-type]
    index = torch.arange(canon.problem.size("test"))
    expected = canon.problem.measure(canon.problem.predict(network)).metrics["NLL per frame"]
    found = canon.problem.loss(network, canon.problem.batch("test", index))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_next_frame_after_each_sequence(canon: Any) -> None:
    network = canon.network("rnn", Structure(4))
    torch.nn.init.normal_(network.head.weight)  # type: ignore[union-attr, arg-type]
    frame, _ = canon.codec.apply(network, canon.spec, sample("canon"))
    assert frame["id"].to_list() == list(canon.data.ids)
    values = torch.from_numpy(canon.data.values[: canon.data.offsets[1]]).float()[None]
    with torch.no_grad():
        expected = network(values, torch.empty(*values.shape[:2], 0))[0, -1].sigmoid()
    assert list(frame.row(0)[1:]) == pytest.approx(expected.tolist())


def test_tables_and_arrays_agree(canon: Any, tmp_path: Path) -> None:
    arrays = sample("canon").arrays
    assert arrays is not None
    np.savez(tmp_path / "canon.npz", **arrays)  # type: ignore[arg-type]
    parts = [
        pl.DataFrame(values, schema=[f"n{k}" for k in range(12)]).insert_column(
            0, pl.Series("piece", [name] * len(values))
        )
        for name, values in arrays.items()
    ]
    pl.concat(parts).write_csv(tmp_path / "canon.csv")
    prints = {
        prepared(load(tmp_path / name)).data.fingerprint() for name in ("canon.npz", "canon.csv")
    }
    assert prints == {canon.data.fingerprint()}


def test_examples_fit_their_predictions(canon: Any) -> None:
    predictions = canon.baselines["last frame"].predict()
    _, following = pairs(canon, "test")
    rows = canon.examples.predicted(predictions)
    for one, row in zip(canon.examples.shown(), rows, strict=True):
        assert len(one.times) == len(one.actual) == len(row)
    assert canon.examples.shown()[0].actual == following[: len(rows[0])].sum(1).tolist()
    assert canon.problem.profile_names() == [str(k) for k in range(12)]


def test_one_long_sequence_is_split_in_time() -> None:
    roll = (np.random.default_rng(0).random((500, 9)) < 0.3).astype(np.uint8)
    task = prepared(Source("roll", arrays={"a": roll}))
    assert task.settings["split"] == "each sequence split in time"
    assert [int(task.problem.parts[part].starts[0]) for part in task.problem.parts] == [0, 300, 375]


BITS: dict[str, Any] = {f"c{k}": [0, 1, 1] for k in range(9)}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            Source("x", pl.DataFrame({**BITS, "c3": [0, 1, 2]})),
            ["x: ", "'c3'", "row 3", "'2' is not"],
        ),
        (Source("x", pl.DataFrame({**BITS, "c3": [0, None, 1]})), ["'c3'", "row 2", "empty cell"]),
        (Source("x", pl.DataFrame({**BITS, "c3": ["0", "u", "1"]})), ["'c3'", "row 2", "'u'"]),
        (Source("x", arrays={"a": np.array([[0, 1], [3, 1]])}), ["array 'a', row 2", "not 0 or 1"]),
        (Source("x", arrays={"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}), ["b [2, 4]"]),
        (Source("x", arrays={"a": np.zeros(3)}), ["a [3]"]),
        (Source("x", arrays={}), ["no arrays"]),
        (Source("x", text=b"abc"), ["no table"]),
    ],
)
def test_what_cannot_be_used_is_named(source: Source, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read_frames(source, Options())
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("roll", "words"),
    [(np.zeros((90, 9)), "all cells are the same"), (np.ones((2, 9)), "too few data")],
)
def test_what_does_not_suffice_is_named(roll: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        prepared(Source("x", arrays={"a": roll}))


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="Python objects"):
        load(tmp_path / "x.npz")
