import math
from collections import Counter as Counts
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from penstock.data import Options, Source
from penstock.data.following.text import read_text
from penstock.data.samples import sample
from penstock.errors import ArgumentError, DataError
from penstock.record.structure import Structure
from penstock.tasks import find_task
from penstock.tasks.following.counting import Counter, discounts
from penstock.tasks.following.ngram import KneserNey, WittenBell
from penstock.tasks.following.ngram_fit import fit
from penstock.tasks.following.text import TEXT
from penstock.training.loop import Budget, Training


def prepared(text: str | bytes, task: str = "text") -> Any:
    content = text.encode() if isinstance(text, str) else text
    found = find_task(task)
    return found.prepare(found.read(Source("a.txt", text=content), Options()))


@pytest.fixture(scope="module")
def rhyme() -> Any:
    task = TEXT.prepare(read_text(sample("rhyme"), "character"))
    return task


def raw(train: np.ndarray, size: int, order: int) -> list[Any]:
    counter = Counter(train, size)
    return [counter.lengthen()[0] for _ in range(order)]


def probabilities(method: Any, context: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return p of each symbol of `test`, which stands after `context`."""
    rows = torch.from_numpy(np.concatenate([context, test]))[None]
    return np.asarray(method.log_probabilities(rows, len(context) - 1)[0].exp())


def after(train: list[int], history: tuple[int, ...]) -> Counts[int]:
    """Return how often each symbol came after a history."""
    n = len(history)
    spots = range(len(train) - n)
    return Counts(train[k + n] for k in spots if tuple(train[k : k + n]) == history)


def witten_bell(train: list[int], history: tuple[int, ...], symbol: int, size: int) -> float:
    """Return p(symbol | history), by counting in plain words."""
    came = after(train, history)
    lower = witten_bell(train, history[1:], symbol, size) if history else 1 / size
    if not came:
        return lower
    return (came[symbol] + len(came) * lower) / (came.total() + len(came))


def before(train: list[int], history: tuple[int, ...]) -> Counts[int]:
    """Return before how many symbols each run of a history and a symbol came; 1 at the start."""
    n = len(history) + 1
    runs = {tuple(train[k : k + n + 1]) for k in range(len(train) - n)}
    found = Counts(run[-1] for run in runs if run[1:-1] == history)
    if tuple(train[: n - 1]) == history:
        found[train[n - 1]] = max(found[train[n - 1]], 1)
    return found


def taken(counts: list[int]) -> list[float]:
    """Return 0, D1, D2 and D3+, as Chen & Goodman 1999 have them."""
    n = [counts.count(k) for k in range(5)]
    y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.0
    d = [k - (k + 1) * y * n[k + 1] / n[k] if all(n[1:]) else k / 2 for k in (1, 2, 3)]
    return [0.0, *(one if 0 < one < k else k / 2 for k, one in enumerate(d, start=1))]


def kneser_ney(
    train: list[int], history: tuple[int, ...], symbol: int, size: int, highest: bool = True
) -> float:
    """Return p(symbol | history) by modified Kneser-Ney, in plain words."""
    count = after if highest else before
    lower = kneser_ney(train, history[1:], symbol, size, False) if history else 1 / size
    came = count(train, history)
    if not came:
        return lower
    n = len(history)
    histories = {tuple(train[k : k + n]) for k in range(len(train) - n)}
    d = taken([c for one in histories for c in count(train, one).values()])
    left = sum(d[min(c, 3)] for c in came.values())
    c = came[symbol]
    return (c - d[min(c, 3)] + left * lower) / came.total()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("oracle", [witten_bell, kneser_ney])
def test_ngrams_are_those_of_the_formula(order: int, oracle: Any) -> None:
    draw = np.random.default_rng(0)
    train, test = np.minimum(draw.geometric(0.4, 90) - 1, 5), draw.integers(0, 7, 40)
    sizes = {"outputs": 7}
    if oracle is witten_bell:
        method: Any = WittenBell.of_levels(sizes, raw(train, 7, order))
    else:
        method = kneser_ney_of(train, sizes, order)
    found, whole = probabilities(method, train, test), [*train.tolist(), *test.tolist()]
    for k, symbol in enumerate(test.tolist()):
        history = tuple(whole[90 + k - order + 1 : 90 + k])
        assert found[k] == pytest.approx(oracle(train.tolist(), history, symbol, 7))


def kneser_ney_of(train: np.ndarray, sizes: dict[str, int], order: int) -> KneserNey:
    counter = Counter(train, sizes["outputs"])
    pairs = [counter.lengthen() for _ in range(order)]
    runs = [one for _, one in pairs if one is not None] + [pairs[-1][0]]
    weights = torch.from_numpy(np.stack([discounts(one.counts) for one in runs]))
    return KneserNey.of_levels(sizes, runs, discounts=weights)


def test_the_probabilities_of_an_ngram_sum_to_one() -> None:
    train = np.random.default_rng(0).integers(0, 4, 50)
    for method in (
        WittenBell.of_levels({"outputs": 6}, raw(train, 6, 3)),
        kneser_ney_of(train, {"outputs": 6}, 3),
    ):
        parts = [probabilities(method, train, np.array([k]))[0] for k in range(6)]
        assert sum(parts) == pytest.approx(1)


def test_runs_are_counted_whatever_their_length() -> None:
    """A hundred symbols to the 12th power are more than 63 bits hold."""
    draw = np.random.default_rng(0)
    train = np.tile(draw.integers(0, 100, 300), 3)
    for level, n in zip(raw(train, 100, 12), range(1, 13), strict=True):
        runs = Counts(tuple(train[k : k + n]) for k in range(len(train) - n + 1))
        assert sorted(runs.values()) == sorted(level.counts.tolist())
        assert [count for _, count in sorted(runs.items())] == level.counts.tolist()


def test_validation_chooses_order_and_smoothing() -> None:
    draw, period = np.random.default_rng(0), np.random.default_rng(1).integers(0, 9, 40)
    noisy = np.where(draw.random(4000) < 0.05, draw.integers(0, 9, 4000), np.tile(period, 100))
    train, rows = noisy[:3000], noisy[None, 3000:]
    found = fit({"outputs": 9}, train, rows, 900)
    name, chosen = [*found.items()][-1]
    loss = {
        (n, kind): -np.log(probabilities(make(n), rows[0, :100], rows[0, 100:])).mean()
        for n in range(3, 9)
        for kind, make in (
            ("", lambda n: WittenBell.of_levels({"outputs": 9}, raw(train, 9, n))),
            (" Kneser-Ney", lambda n: kneser_ney_of(train, {"outputs": 9}, n)),
        )
    }
    order, kind = min(loss, key=lambda one: loss[one])
    assert name == f"{order}-gram{kind}"
    mine = -np.log(probabilities(chosen, rows[0, :100], rows[0, 100:])).mean()
    assert mine == pytest.approx(min(loss.values()))
    assert [one.kind for one in found.values()] == ["blind", "naive", "classical"]


def test_bits_and_perplexity() -> None:
    task = prepared("abcd" * 300)
    p = np.random.default_rng(0).uniform(0.1, 1, len(task.baselines["1-gram"].predict()))
    found = task.problem.measure(torch.from_numpy(np.log(p)))
    assert found.metrics["bits per character"] == pytest.approx(-np.log2(p).mean())
    assert found.metrics["perplexity"] == pytest.approx(np.prod(p ** (-1 / len(p))))
    assert np.mean(found.blocks) == pytest.approx(found.metrics["bits per character"])


def test_an_untrained_network_has_the_frequencies_of_characters(rhyme: Any) -> None:
    found = rhyme.problem.predict(rhyme.network("gru", Structure(4)))
    counts = (
        np.bincount(
            rhyme.problem.codes[: rhyme.problem.parts.train],
            minlength=len(rhyme.problem.alphabet) + 1,
        )
        + 1
    )
    expected = np.log(counts / counts.sum())[rhyme.problem.codes[rhyme.problem.parts.validation :]]
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


def spoilt(network: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    torch.nn.init.normal_(network.head.weight)  # type: ignore[union-attr, arg-type]
    return network


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_state_is_carried_from_batch_to_batch(rhyme: Any, cell: str) -> None:
    network = spoilt(rhyme.network(cell, Structure(5))).train()
    index = rhyme.problem.draw(3, 4)
    assert torch.equal(index[1:], (index[:-1] + 64) % rhyme.problem.size("train"))
    batches = [rhyme.problem.batch("train", row) for row in index]
    pieces = torch.cat([network(codes, starts) for codes, _, starts in batches], 1)
    network.train()  # forgets
    whole = network(torch.cat([codes for codes, *_ in batches], 1), batches[0][2])
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)
    network.train()
    fresh = network(*batches[1][::2])
    assert not torch.allclose(fresh, pieces[:, 64:128], atol=1e-3)


def test_gradients_end_where_a_batch_ends(rhyme: Any) -> None:
    network = spoilt(rhyme.network("gru", Structure(5))).train()
    for row in rhyme.problem.draw(2, 4):
        network.zero_grad()
        rhyme.problem.loss(
            network, rhyme.problem.batch("train", row)
        ).backward()  # twice: no graph is left


def test_rows_that_do_not_go_on_begin_at_zero(rhyme: Any) -> None:
    network = spoilt(rhyme.network("gru", Structure(5))).train()
    first, second = rhyme.problem.draw(1, 4)[0], rhyme.problem.draw(1, 4)[0] + 1
    network(*rhyme.problem.batch("train", first)[::2])
    codes, _, starts = rhyme.problem.batch("train", second)
    after = network(codes, starts)
    network.train()
    assert torch.equal(after, network(codes, starts))


def test_training_goes_on_as_if_undisturbed(rhyme: Any, tmp_path: Path) -> None:
    budget, losses = Budget(steps=12, round_steps=4, batch_size=8), []
    for stops in (False, True):
        path = tmp_path / f"{stops}.safetensors"
        torch.manual_seed(0)
        network = rhyme.network("gru", Structure(5))
        training = Training(rhyme.problem, network, seed=0, budget=budget, path=path)
        if stops:
            with pytest.raises(KeyboardInterrupt):
                training.run(_stop)
            training = Training(
                rhyme.problem, rhyme.network("gru", Structure(5)), seed=0, budget=budget, path=path
            )
        losses.append(training.run().losses)
    assert losses[0] == losses[1]


def _stop(_: object) -> None:
    raise KeyboardInterrupt


def test_test_characters_are_read_in_their_context(rhyme: Any) -> None:
    network = spoilt(rhyme.network("gru", Structure(5))).eval()
    found = rhyme.problem.predict(network)
    with torch.inference_mode():
        logits, _ = network.read(rhyme.problem.codes[None], None)  # type: ignore[operator]
    whole = logits[0, :-1].log_softmax(1).gather(1, rhyme.problem.codes[1:, None])[:, 0]
    assert found.numpy() == pytest.approx(
        whole[rhyme.problem.parts.validation - 1 :].numpy(), abs=2e-2
    )


def test_characters_never_seen_are_one_symbol() -> None:
    task = prepared("ab" * 600 + "žé" * 50)
    assert task.problem.codes[-2:].tolist() == [2, 2]
    assert "100 test characters are not in the training part" in task.notes[0]


def test_bytes_and_characters() -> None:
    text = "ž" * 1000
    assert len(prepared(text).problem.codes) == 1000
    assert len(prepared(text, "bytes").problem.codes) == 2000
    assert prepared(text, "bytes").problem.metrics[0] == "bits per byte"
    assert len(prepared(bytes([255, 200]) * 500, "bytes").problem.codes) == 1000


@pytest.mark.parametrize("task", ["text", "bytes"])
def test_a_model_goes_on_writing(task: str) -> None:
    found = prepared("abc " * 400, task)
    frame, _ = found.codec.apply(
        found.network("rnn", Structure(3)), found.spec, Source("b.txt", text=b"abc abc ab")
    )
    assert frame.columns == ["step", found.data.unit, "probability"]
    shown = {found.data.show(code) for code in found.problem.alphabet} | {
        "\N{REPLACEMENT CHARACTER}"
    }
    assert {*frame[found.data.unit]} <= shown
    again, _ = found.codec.apply(
        found.network("rnn", Structure(3)), found.spec, Source("b.txt", text=b"abc abc ab")
    )
    assert frame.equals(again)


def test_examples_fit_their_predictions(rhyme: Any) -> None:
    predictions = rhyme.baselines["2-gram"].predict()
    for one, row in zip(rhyme.examples.shown(), rhyme.examples.predicted(predictions), strict=True):
        assert len(one.times) == len(one.actual) == len(row) == 60
    assert (
        len(rhyme.problem.profile_names()) == len(rhyme.problem.measure(predictions).profile) == 10
    )
    first = rhyme.examples.predicted(predictions)[0]
    assert first == pytest.approx((-predictions[:60] / math.log(2)).tolist())


@pytest.mark.parametrize(
    ("content", "task", "words"),
    [
        (bytes(99), "text", ["no text", "--task bytes"]),
        (b"short", "text", ["5 characters", "854"]),
    ],
)
def test_what_does_not_suffice_is_named(content: bytes, task: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        prepared(content, task)
    assert all(word in str(caught.value) for word in words), caught.value


def test_other_sources_are_refused() -> None:
    with pytest.raises(DataError, match=r"no text; give a \.txt"):
        read_text(sample("canon"), "byte")
    with pytest.raises(ArgumentError, match="--horizon"):
        TEXT.prepare(read_text(sample("rhyme"), "character"), 2)


@pytest.mark.parametrize("length", [860, 3000, 6000])
def test_examples_of_a_short_text_are_as_long_as_others(length: int) -> None:
    draw = np.random.default_rng(0)
    task = prepared("".join(draw.choice(list("abcdefgh "), length)))
    rows = task.examples.predicted(task.baselines["1-gram"].predict())
    assert [len(one.times) for one in task.examples.shown()] == [60] * 4
    assert [len(row) for row in rows] == [60] * 4
