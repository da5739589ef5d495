"""Classification, regression and labelling of every step."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, r2_score
from torch.nn.functional import cross_entropy
from torchmetrics.functional import mean_absolute_error, mean_squared_error
from torchmetrics.functional.classification import multiclass_accuracy

from penstock.data import Options, Source
from penstock.data.labelled.pieces import whole
from penstock.data.samples import sample
from penstock.errors import ArgumentError, DataError
from penstock.models.reader import Inputs, SequenceNetwork
from penstock.record.structure import Structure
from penstock.tasks import find_task
from penstock.tasks.sequences import classes as scores
from penstock.tasks.sequences.baselines.methods import GivenSymbol
from penstock.tasks.sequences.baselines.summaries import summaries
from penstock.tasks.task import Task

SAMPLES = {"classify": "gestures", "regress": "adding", "tag": "brackets"}


def prepared(name: str, table: pl.DataFrame | None = None, **options: Any) -> Any:
    source = sample(SAMPLES[name]) if table is None else Source("data.csv", table)
    task = find_task(name)
    return task.prepare(task.read(source, Options(**options)))


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def task(request: pytest.FixtureRequest) -> Task:
    found = prepared(request.param)
    assert isinstance(found, Task)
    return found


def shuffled_test_part(name: str) -> tuple[Any, Any]:
    """Return a task, and one on the same data with other inputs and labels in the test part."""
    one = prepared(name)
    table = sample(SAMPLES[name]).rows()
    owners = {one.data.ids[owner] for owner in one.problem.parts["test"].owners.tolist()}
    inside = pl.col("id").is_in(sorted(owners))
    changes = [
        pl.when(inside).then(pl.col(c).reverse()).otherwise(pl.col(c)).alias(c)
        for c in (*one.data.layout.numbers, *one.data.layout.symbols)
    ]
    return one, prepared(name, table.with_columns(changes))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_values_of_the_test_part_leak_nowhere(name: str) -> None:
    one, other = shuffled_test_part(name)
    assert one.problem.encoding == other.problem.encoding
    assert one.spec == other.spec
    assert one.data.fingerprint() != other.data.fingerprint()
    for part in ("train", "validation"):
        index = torch.arange(one.problem.size(part))
        for a, b in zip(
            one.problem.batch(part, index), other.problem.batch(part, index), strict=True
        ):
            assert torch.equal(a, b)


def test_no_sequence_is_in_two_parts(task: Any) -> None:
    owners = [{*pieces.owners.tolist()} for pieces in task.problem.parts.values()]
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]


def test_an_untrained_network_is_the_naive_prediction(task: Any) -> None:
    naive = {"classify": "most frequent class", "regress": "median", "tag": "most frequent label"}
    found = task.problem.predict(task.network("gru", Structure(5))).double()
    assert torch.allclose(found, task.baselines[naive[task.name]].predict(), atol=1e-6)


def test_batches_are_of_like_length_and_any_sequence_is_as_likely() -> None:
    torch.manual_seed(0)
    problem = prepared("classify").problem
    lengths = problem.parts["train"].lengths
    drawn = problem.draw(3200, 8)
    spans = lengths[drawn]
    padding = (spans.amax(1, keepdim=True) - spans).sum() / spans.sum()
    assert padding < 0.2 * float(lengths.max() / lengths.float().mean() - 1)
    assert all(len(row.unique()) == 8 for row in drawn[:100])
    for steps in (slice(None, None, 11), slice(10, None, 11)):  # the first of a pool, the last
        counts = torch.bincount(drawn[steps].flatten(), minlength=len(lengths))
        expected = drawn[steps].numel() / len(lengths)
        assert float(((counts - expected) ** 2 / expected).mean()) == pytest.approx(1, abs=0.35)


def test_padding_does_not_count(task: Any) -> None:
    network = task.network("gru", Structure(4))
    torch.nn.init.normal_(network.head.weight)
    together = task.problem.predict(network)
    pieces, alone = task.problem.parts["test"], []
    with torch.no_grad():
        for window in range(len(pieces)):
            numbers, symbols, lengths, _ = task.problem.inputs("test", torch.tensor([window]))
            alone.append(network(numbers, symbols, lengths))
    if task.name == "tag":
        expected = torch.cat([one[0] for one in alone]).log_softmax(1)
    else:
        expected = torch.cat(alone)
        expected = expected.log_softmax(1) if task.name == "classify" else expected[:, 0].double()
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-4)


def test_predictions_on_a_file_are_those_of_the_task(task: Any) -> None:
    network = task.network("rnn", Structure(4))
    torch.nn.init.normal_(network.head.weight)
    source = sample(SAMPLES[task.name])
    label = task.data.layout.label
    unlabelled = Source(source.name, source.rows().drop(label))
    frame, _ = task.codec.apply(network, task.spec, unlabelled)
    pieces = task.problem.parts["test"]
    predictions = task.problem.predict(network)
    if task.name == "tag":
        first = pieces.starts.tolist()[0]
        found = frame["predicted"][first : first + int(pieces.lengths[0])].to_list()
        expected = predictions.argmax(1)[: len(found)].tolist()
        assert found == [task.problem.classes[k] for k in expected]
    else:
        found = frame["predicted"].gather(pieces.owners.numpy())
        if task.name == "classify":
            assert found.to_list() == [
                task.problem.classes[k] for k in predictions.argmax(1).tolist()
            ]
        else:
            expected = task.problem.scale.undo(predictions.numpy())
            assert found.to_numpy() == pytest.approx(expected, abs=1e-6)


def test_examples_fit_their_predictions(task: Any) -> None:
    predictions = next(iter(task.baselines.values())).predict()
    shown = task.examples.shown()
    rows = task.examples.predicted(predictions)
    assert len(shown) == len(rows) == 4
    for one, row in zip(shown, rows, strict=True):
        assert len(one.times) == len(one.actual) == len(row)
        assert {"series", "context", "kind", "unit", "levels"} <= {*one.record()}
    assert len(task.problem.profile_names()) == len(task.problem.measure(predictions).profile)


def test_blocks_have_the_score_for_their_mean(task: Any) -> None:
    for baseline in task.baselines.values():
        found = task.problem.measure(baseline.predict())
        assert len(found.blocks) == 10
        # Blocks differ by one sequence in size at most.
        assert np.mean(found.blocks) == pytest.approx(
            found.metrics[task.problem.metrics[0]], rel=0.1
        )


@pytest.mark.parametrize("grouped", [False, True])
def test_blocks_hold_whole_sequences_or_groups(grouped: bool) -> None:
    draw = np.random.default_rng(0)
    lengths = draw.integers(3, 40, 80)
    ids = np.repeat(np.arange(80), lengths)
    frame = pl.DataFrame({"id": ids.astype(str), "speaker": [f"s{k // 4}" for k in ids]})
    x = draw.standard_normal(len(ids))
    frame = frame.with_columns(x=x, label=np.where(x > 0, "up", "down"))
    if not grouped:
        frame = frame.drop("speaker")
    told = {"group": "speaker"} if grouped else {}
    problem = prepared("tag", frame, target=("label",), id="id", **told).problem
    blocks, test = problem.test_blocks(), problem.parts["test"]
    owners = test.owners.repeat_interleave(test.lengths)
    owners = owners // 4 if grouped else owners
    assert blocks.lag == 0
    assert len(blocks.weights) > 1
    for owner in owners.unique():
        assert len(blocks.number[owners == owner].unique()) == 1


def test_scores_of_classes() -> None:
    draw = torch.Generator().manual_seed(0)
    targets = torch.randint(-1, 4, (300,), generator=draw)
    predictions = torch.randn(300, 5, generator=draw).double().log_softmax(1)
    found = scores.scores(predictions, targets)
    seen = targets >= 0
    guess, truth = predictions[seen].argmax(1).numpy(), targets[seen].numpy()
    recalls = [np.mean(guess[truth == k] == k) for k in range(4)]
    assert found["error rate"] == pytest.approx(np.mean(guess != truth))
    assert found["error rate"] == pytest.approx(
        1 - float(multiclass_accuracy(predictions[seen], targets[seen], 5, average="micro"))
    )
    assert found["balanced accuracy"] == pytest.approx(np.mean(recalls), abs=1e-6)
    f1 = f1_score(truth, guess, average="macro", labels=np.unique(truth))
    assert found["macro F1"] == pytest.approx(f1, abs=1e-6)
    expected = -predictions[seen].numpy()[np.arange(len(truth)), truth].mean()
    assert found["log loss"] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["classify", "tag"])
def test_confusion_as_scikit_learn(name: str) -> None:
    problem = prepared(name).problem
    torch.manual_seed(0)
    targets, count = problem.labels("test"), len(problem.classes)
    said = torch.randn(len(targets), count)
    expected = confusion_matrix(targets, said.argmax(dim=1), labels=range(count))
    assert problem.confusion(said) == expected.tolist()
    assert problem.class_names() == list(problem.classes)


def test_scores_of_numbers() -> None:
    task = prepared("regress")
    predictions = torch.randn(task.problem.size("test"), generator=torch.Generator().manual_seed(0))
    labels = task.problem.targets[task.problem.parts["test"].owners]
    guess = torch.from_numpy(task.problem.scale.undo(predictions.double().numpy()))
    found = task.problem.measure(predictions.double()).metrics
    assert found["MAE"] == pytest.approx(float(mean_absolute_error(guess, labels)))
    rmse = float(mean_squared_error(guess, labels, squared=False))
    assert found["RMSE"] == pytest.approx(rmse)
    assert found["R²"] == pytest.approx(r2_score(labels, guess))


def test_naive_numbers_by_hand() -> None:
    task = prepared("regress")
    known = task.problem.targets[task.problem.parts["train"].owners].numpy()
    for name, value in (("mean", known.mean()), ("median", np.median(known))):
        found = task.problem.scale.undo(task.baselines[name].predict().numpy())
        assert found == pytest.approx(np.full(task.problem.size("test"), value))


def test_naive_classes_by_hand() -> None:
    task = prepared("tag")
    rows, test = (
        task.problem.parts["train"].all_rows().numpy(),
        task.problem.parts["test"].all_rows().numpy(),
    )
    symbol, label = task.data.symbols["symbol"].to_numpy(), task.problem.targets.numpy()
    prior = np.array([(label[rows] == k).sum() + 1 for k in range(2)]) / (len(rows) + 2)
    found = {name: one.predict() for name, one in task.baselines.items()}
    assert np.exp(found["most frequent label"][0].numpy()) == pytest.approx(prior)
    for sign in "abc()":
        here = symbol[rows] == sign
        counts = np.array([(label[rows][here] == k).sum() for k in range(2)])
        expected = (counts + prior) / (here.sum() + 1)
        shares = found["most frequent given the symbol"][torch.from_numpy(symbol[test] == sign)]
        assert np.exp(shares[0].numpy()) == pytest.approx(expected)


def test_naive_labels_by_the_step() -> None:
    """Copying with a label at every step: to know when to speak is not to remember what."""
    draw = np.random.default_rng(0)
    said = draw.choice(list("abcd"), (60, 3))
    label = np.concatenate([np.full((60, 9), "_"), said], axis=1).ravel()
    symbol = np.concatenate([said, np.full((60, 9), "_")], axis=1).ravel()
    rows = {"id": np.repeat(np.arange(60).astype(str), 12), "symbol": symbol, "label": label}
    task = prepared("tag", pl.DataFrame(rows))
    found = {name: one.predict() for name, one in task.baselines.items()}
    shares = found["most frequent at the step"].exp().numpy()
    train, test = (task.problem.parts[part].all_rows().numpy() for part in ("train", "test"))
    prior = np.exp(found["most frequent label"][0].numpy())
    for step in range(12):
        counts = np.array([(label[train][train % 12 == step] == k).sum() for k in "_abcd"])
        expected = (counts + prior) / (counts.sum() + 1)
        assert shares[test % 12 == step] == pytest.approx(np.tile(expected, (15, 1)))
    blind = [name for name, one in task.baselines.items() if one.method.kind == "blind"]
    wrong = [task.problem.measure(found[name]).metrics["error rate"] for name in blind]
    assert wrong == pytest.approx([3 / 12, 3 / 4 * 3 / 12], abs=0.03)


def test_steps_that_training_never_sees_have_no_shares_of_their_own() -> None:
    label = np.random.default_rng(0).choice(["a", "b"], 300)
    task = prepared("tag", pl.DataFrame({"x": np.arange(300.0), "label": label}))
    assert "most frequent at the step" not in task.baselines
    assert task.notes[-1].startswith("sequences longer than 200 steps are read in pieces of 200")
    assert not prepared("tag").notes


def test_a_symbol_never_seen_has_the_shares_of_all() -> None:
    symbols, targets = torch.tensor([[1], [1], [2]]), torch.tensor([0, 1, 1])
    method = GivenSymbol.fit({"outputs": 2}, symbols, targets)
    found = method.outputs(Inputs(torch.empty(1, 1, 0), torch.tensor([[[9]]])))[0]
    assert torch.allclose(found[0], scores.log_prior(targets, 2))


def test_summaries_by_hand() -> None:
    draw = np.random.default_rng(0)
    numbers, symbols = draw.standard_normal((9, 2)), draw.integers(0, 3, (9, 1))
    rows, lengths = whole(np.array([0, 4, 9]), np.array([1, 0])).rows(torch.tensor([0, 1]))
    inputs = Inputs(torch.from_numpy(numbers)[rows], torch.from_numpy(symbols)[rows], lengths)
    found = summaries(inputs, (3,))
    for row, part in zip(found.numpy(), (slice(4, 9), slice(0, 4)), strict=True):
        x, s = numbers[part], symbols[part, 0]
        shares = [(s == k).mean() for k in range(3)]
        assert row == pytest.approx([*x.mean(0), *x.std(0), *x[-1], *shares, np.log(len(x))])


def long(labels: list[str | None]) -> pl.DataFrame:
    rows = [(f"s{k}", float(t), label) for k, label in enumerate(labels) for t in range(3)]
    return pl.DataFrame(rows, schema=["id", "x", "label"], orient="row")


def test_small_classes_and_missing_labels_are_left_out_and_counted() -> None:
    task = prepared("classify", long([*"aaaabbbbcc", None]))
    assert task.problem.classes == ("a", "b")
    assert "3 of 11 sequences left out" in task.notes[0]
    kept = torch.cat([pieces.owners for pieces in task.problem.parts.values()])
    assert sorted(kept.tolist()) == list(range(8))


@pytest.mark.parametrize(
    ("name", "table", "options", "kind", "words"),
    [
        ("classify", long(["a"] * 9), {}, DataError, "two such classes"),
        ("classify", long([*"aaabbb"]), {"target": ("x",)}, DataError, "has the labels"),
        ("regress", long(["1"] * 9), {}, DataError, "is constant"),
        ("regress", long(["1", "2"]), {}, DataError, "too few data"),
        ("tag", long(["a"] * 12), {}, DataError, "always 'a'"),
        ("classify", pl.DataFrame({"x": [1, 2], "label": ["a", "b"]}), {}, ArgumentError, "--id"),
        ("tag", pl.DataFrame({"x": [1, 2], "y": [3, 4]}), {}, ArgumentError, "--target"),
    ],
)
def test_what_does_not_suffice_is_named(
    name: str, table: pl.DataFrame, options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        prepared(name, table, **options)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_horizon_is_refused(name: str) -> None:
    task = find_task(name)
    with pytest.raises(ArgumentError, match="--horizon is for forecasting"):
        task.prepare(task.read(sample(SAMPLES[name]), Options()), 3)


def test_steps_without_a_label_are_never_scored() -> None:
    table = (
        sample("brackets")
        .rows()
        .with_columns(tag=pl.when(pl.int_range(pl.len()) % 3 > 0).then("tag"))
    )
    task = prepared("tag", table)
    predictions = next(iter(task.baselines.values())).predict().clone()
    unknown = task.problem.targets[task.problem.parts["test"].all_rows()] < 0
    assert unknown.any()
    wrong = predictions.clone()
    wrong[unknown] = -1e9
    assert task.problem.measure(wrong) == task.problem.measure(predictions)
    network = task.network("rnn", Structure(3))
    index = torch.arange(20)
    *inputs, target = task.problem.batch("train", index)
    expected = cross_entropy(network(*inputs)[target >= 0], target[target >= 0])
    assert task.problem.loss(network, (*inputs, target)).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


@pytest.mark.parametrize("every_step", [False, True])
def test_a_reader_reads_each_sequence_to_its_own_end(every_step: bool) -> None:
    network = SequenceNetwork("gru", Structure(4), 2, (3,), [0.0, 1.0], every_step)
    torch.nn.init.normal_(network.head.weight)
    numbers, symbols = torch.randn(2, 5, 2), torch.randint(0, 3, (2, 5, 1))
    lengths = torch.tensor([5, 3])
    found = network(numbers, symbols, lengths)
    for row, length in enumerate(lengths.tolist()):
        embedded = network.embeddings[0].weight[symbols[row, :length, 0]]
        output, _ = network.recurrent(torch.cat([numbers[row, :length], embedded], 1)[None])
        expected = network.head(output[0])
        if every_step:
            torch.testing.assert_close(found[row, :length], expected)
        else:
            torch.testing.assert_close(found[row], expected[-1])


def test_steps_past_the_end_of_a_row_have_no_label() -> None:
    task = prepared("tag")
    *_, lengths, targets = task.problem.batch("train", torch.arange(30))
    assert len({*lengths.tolist()}) > 1
    for row, length in zip(targets, lengths.tolist(), strict=True):
        assert (row[:length] >= 0).all()
        assert (row[length:] == -1).all()
