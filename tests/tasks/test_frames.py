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
from penstock.data.labelled.pieces import Pieces
from penstock.data.samples import sample
from penstock.errors import DataError
from penstock.record.structure import Structure
from penstock.tasks import linear
from penstock.tasks.following import frames_scores
from penstock.tasks.following.frames import FRAMES, FrameBaselines
from penstock.training.loop import Budget, Training


def prepared(source: Source) -> Any:
    return FRAMES.prepare(FRAMES.read(source, Options()))


@pytest.fixture(scope="module")
def canon() -> Any:
    return prepared(sample("canon"))


def test_cutting_is_said(canon: Any) -> None:
    assert not canon.notes
    values = np.random.default_rng(0).integers(0, 2, (1000, 8))
    table = pl.DataFrame(values, schema=[f"n{k}" for k in range(8)])
    assert "windows of 200" in prepared(Source("long.csv", table)).notes[0]


def test_blocks_of_the_test_hold_whole_sequences_unless_these_are_cut_in_time() -> None:
    draw = np.random.default_rng(0)
    lengths = draw.integers(5, 90, 40)
    values = draw.integers(0, 2, (int(lengths.sum()), 3))
    table = pl.DataFrame(values, schema=["a", "b", "c"])
    ids = pl.Series("id", np.repeat(np.arange(40), lengths))
    problem = prepared(Source("many.csv", table.with_columns(ids.cast(pl.String)))).problem
    blocks, test = problem._blocks(), problem.runs["test"]
    owners = test.owners.repeat_interleave(test.lengths - 1)
    assert blocks.lag == 0
    for owner in owners.unique():
        assert len(blocks.number[owners == owner].unique()) == 1
    in_time = prepared(Source("one.csv", table)).problem._blocks()
    assert (len(in_time.weights), in_time.lag) == (10, 1)


def pairs(task: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each frame of a part that is predicted, and the one before it."""
    before, after, pieces = [], [], task.problem.runs[part]
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
    train = canon.data.values[canon.problem.runs["train"].all_rows()]
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


def test_the_context_is_how_long_training_windows_are(canon: Any) -> None:
    task = FRAMES.prepare(FRAMES.read(sample("canon"), Options()), context=16)
    assert int(task.problem.parts["train"].lengths.max()) == 17  # 16 of which are predicted
    assert "windows of 16" in task.notes[0]
    for part in ("validation", "test"):  # neither depends on it
        assert torch.equal(task.problem.parts[part].starts, canon.problem.parts[part].starts)
    assert torch.equal(task.problem.following("test"), canon.problem.following("test"))
    assert task.spec == canon.spec


def test_every_frame_but_the_first_follows_another_in_one_window() -> None:
    lengths = [1, 2, 3, 4, 7, 12]
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    runs = Pieces(offsets[:-1] + 100, torch.tensor(lengths), torch.arange(6))
    for steps in (1, 3, 5, 50):
        windows = runs.windows(steps)
        spans = zip(windows.starts.tolist(), windows.lengths.tolist(), strict=True)
        followed = [row for start, length in spans for row in range(start + 1, start + length)]
        firsts = set((offsets[:-1] + 100).tolist())
        assert followed == [row for row in range(100, 129) if row not in firsts]
        assert int(windows.lengths.max()) <= steps + 1
        assert windows.owners.tolist() == sorted(windows.owners.tolist())


LENGTHS = (300, 2, 45, 1, 700, 16, 17, 33, 64, 90, 7, 250)


@pytest.fixture(scope="module")
def mixed() -> Any:
    """Sequences of very different lengths, one after the other."""
    draw = np.random.default_rng(0)
    arrays = {f"s{k}": (draw.random((n, 5)) < 0.4).astype(np.uint8) for k, n in enumerate(LENGTHS)}
    return FRAMES.prepare(FRAMES.read(Source("mixed", arrays=arrays), Options()), context=16)


def spoilt(task: Any, cell: str) -> Any:
    torch.manual_seed(0)
    network = task.network(cell, Structure(6, layers=2))
    torch.nn.init.normal_(network.head.weight)
    return network


def test_rows_go_on_in_their_sequence_and_all_windows_are_as_likely(mixed: Any) -> None:
    torch.manual_seed(0)
    windows = mixed.problem.parts["train"]
    drawn = mixed.problem.draw(40, 3000)
    last = torch.ones(len(windows), dtype=torch.bool)
    last[:-1] = windows.owners[1:] != windows.owners[:-1]
    ended = last[drawn[:-1]]
    assert torch.equal(drawn[1:][~ended], drawn[:-1][~ended] + 1)
    first = last.roll(1)
    assert first[drawn[1:][ended]].all()
    for row in drawn[[0, 1, 39]]:
        shares = torch.bincount(row, minlength=len(windows)) / 3000
        assert float((shares - 1 / len(windows)).abs().max()) < 4 / (3000 * len(windows)) ** 0.5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_state_is_carried_from_window_to_window(mixed: Any, cell: str) -> None:
    network, problem = spoilt(mixed, cell).train(), mixed.problem
    windows = problem.parts["train"]
    torch.manual_seed(1)
    found: dict[int, list[torch.Tensor]] = {}
    for index in problem.draw(30, 8):
        frames, _, inside, starts = problem.batch("train", index)
        logits = network(frames, starts, starts + inside.sum(1))
        for row, window in enumerate(index.tolist()):
            rows = found.setdefault(row, [])
            if window == 0 or windows.owners[window - 1] != windows.owners[window]:
                rows.clear()
            rows.append(logits[row, inside[row]])
    began_inside = 0
    for row, window in enumerate(index.tolist()):
        whole = torch.cat(found[row])
        end = int(windows.starts[window] + windows.lengths[window]) - 1
        begin = end - len(whole)
        began_inside += begin not in mixed.data.offsets
        with torch.no_grad():
            expected = network.eval()(mixed.problem.values[begin:end][None])[0]
        torch.testing.assert_close(whole.detach(), expected, atol=1e-5, rtol=1e-4)
    assert max(len(torch.cat(rows)) for rows in found.values()) > 100
    assert began_inside < 8


def test_a_row_ends_where_its_window_does_however_long_others_are(mixed: Any) -> None:
    class Noting(torch.nn.Module):
        def forward(self, frames: Any, _starts: Any, ends: torch.Tensor) -> Any:
            self.ends = ends
            return frames

    windows, noting = mixed.problem.parts["train"], Noting()
    index = torch.arange(len(windows))
    mixed.problem.loss(noting, mixed.problem.batch("train", index))
    assert torch.equal(noting.ends, windows.starts + windows.lengths - 1)


def test_gradients_end_where_a_window_begins(mixed: Any) -> None:
    network = spoilt(mixed, "gru").train()
    for row in mixed.problem.draw(3, 4):
        network.zero_grad()
        mixed.problem.loss(network, mixed.problem.batch("train", row)).backward()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_whole_sequences_are_read_in_one_pass(
    mixed: Any, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames_scores, "_ROWS", 3)
    monkeypatch.setattr(frames_scores, "_CHUNK", 50)
    network, read = spoilt(mixed, cell), []
    inner = network.read
    network.read = lambda frames, state: (read.append(frames.shape[:2]), inner(frames, state))[1]
    source = Source("m", arrays={
        name: mixed.data.values[begin:end]
        for name, begin, end in zip(
            mixed.data.ids, mixed.data.offsets[:-1], mixed.data.offsets[1:], strict=True
        )
    })  # fmt: skip
    found, _ = mixed.codec.evaluate(network, mixed.spec, source)
    assert max(rows * steps for rows, steps in read) <= 150  # however long sequences are
    frame, _ = mixed.codec.apply(network, mixed.spec, source)
    nats, hit, either = [], 0, 0
    for k, roll in enumerate(source.arrays.values()):  # type: ignore[union-attr]
        with torch.no_grad():  # all of a sequence at once
            x = network.encoded(torch.from_numpy(roll).float()[None], torch.empty(1, len(roll), 0))
            p = network.head(network.recurrent(x)[0])[0].double().sigmoid().numpy()
        assert list(frame.row(k)[1:]) == pytest.approx(p[-1].tolist(), abs=1e-5)
        p, came = p[:-1], roll[1:]
        nats += (-np.where(came == 1, np.log(p), np.log1p(-p))).sum(1).tolist()
        hit, either = hit + ((p > 0.5) & came).sum(), either + ((p > 0.5) | came).sum()
    wanted = {"NLL per frame": np.mean(nats), "frame accuracy": hit / either}
    assert found == pytest.approx(wanted, rel=1e-5)
    whole = mixed.problem.measure(mixed.problem.predict(network)).metrics
    test = {name: source.arrays[name] for name in mixed.problem.members("test")}  # type: ignore[index]
    assert mixed.codec.evaluate(network, mixed.spec, Source("t", arrays=test))[0] == pytest.approx(
        whole, rel=1e-6
    )


def test_training_on_long_sequences_goes_on_as_if_undisturbed(mixed: Any, tmp_path: Path) -> None:
    budget, weights = Budget(steps=9, round_steps=3, batch_size=4), []
    for stops in (False, True):
        path = tmp_path / f"{stops}.safetensors"
        for until in (1, None) if stops else (None,):
            network = spoilt(mixed, "gru")
            training = Training(mixed.problem, network, seed=0, budget=budget, path=path)
            training.run(until=until)
        weights.append(network.head.weight.detach().clone())
    assert torch.equal(*weights)


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
        expected = network(values)[0, -1].sigmoid()
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
        (Source("x", arrays={"a": np.ones((3, 5)), "b": np.ones((0, 5))}), ["'b' has no frames"]),
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
