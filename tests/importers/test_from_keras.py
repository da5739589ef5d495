"""Layers of Keras 3 come in with their weights: Keras itself, on its torch backend, is the oracle.

Each is read twice: from the layer at hand, and from a file that Keras wrote.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported

import contextlib
import copy
import json
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
import torch
from keras import layers as k

import penstock
from penstock.errors import ArgumentError, DataError, ModelFileError
from penstock.importers.modules import Backwards, BothWays, Chain

T, B, I, H = 7, 3, 3, 4
TOLERANCE = {"rtol": 0, "atol": 1e-5}
pytestmark = pytest.mark.filterwarnings(  # of Keras's own variables, where it saves them
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
recurrent_dropout = pytest.mark.filterwarnings("ignore:.*has recurrent_dropout:UserWarning")


def randomised(layer, size=I):
    """Build a layer or model, and give it random weights, biases included."""
    layer(np.zeros((1, T, size), np.float32))
    random = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(0.5 * random.standard_normal(weight.shape))
    return layer


def saved(layer, path):
    model = layer
    if not isinstance(layer, keras.Model):
        inputs = keras.Input((None, I))
        model = keras.Model(inputs, layer(inputs))
    model.save(path)
    return path


def given(seed=1, size=I):
    return np.random.default_rng(seed).standard_normal((B, T, size)).astype(np.float32)


def in_keras(layer, x, **keywords):
    results = layer(x, **keywords)
    results = results if isinstance(results, list | tuple) else [results]
    return [keras.ops.convert_to_numpy(one) for one in results]


def in_penstock(module, x, *args):
    with torch.no_grad(), penstock.backend("eager"):  # that which takes no compiling
        output, state = module(torch.from_numpy(x), *args)
    return output.numpy(), flat(state)


def flat(value):
    """Return the tensors [L·D, B, S] of a state, however nested, in the order of its layers."""
    return [value.numpy()] if torch.is_tensor(value) else [t for v in value for t in flat(v)]


def both_read(layer, path):
    yield penstock.from_keras(layer)
    yield penstock.from_keras(saved(layer, path))


def sequences(kind, *args, **keywords):
    return kind(*args, return_sequences=True, **keywords)


PLAIN = {
    "simple_rnn": lambda: sequences(k.SimpleRNN, H),
    "simple_rnn-relu": lambda: sequences(k.SimpleRNN, H, activation="relu"),
    "simple_rnn-no_bias": lambda: sequences(k.SimpleRNN, H, use_bias=False),
    "lstm": lambda: sequences(k.LSTM, H),
    "lstm-no_bias": lambda: sequences(k.LSTM, H, use_bias=False),
    "lstm-no_unit_forget": lambda: sequences(k.LSTM, H, unit_forget_bias=False),
    "gru": lambda: sequences(k.GRU, H),
    "gru-no_bias": lambda: sequences(k.GRU, H, use_bias=False),
    "gru-before": lambda: sequences(k.GRU, H, reset_after=False),
    "gru-before-no_bias": lambda: sequences(k.GRU, H, reset_after=False, use_bias=False),
    "rnn-simple_cell": lambda: sequences(k.RNN, k.SimpleRNNCell(H)),
    "rnn-lstm_cell": lambda: sequences(k.RNN, k.LSTMCell(H)),
    "rnn-gru_cell": lambda: sequences(k.RNN, k.GRUCell(H, reset_after=False)),
    "lstm-unrolled": lambda: sequences(k.LSTM, H, unroll=True),
    "lstm-dropout": lambda: sequences(k.LSTM, H, dropout=0.2),
    "gru-dropout_1": lambda: sequences(k.GRU, H, dropout=1.0),
    "gru-regularised": lambda: sequences(
        k.GRU, H, kernel_regularizer="l2", recurrent_constraint="unit_norm"
    ),
}
STACKED = {
    "cells": lambda: sequences(k.RNN, [k.LSTMCell(H), k.LSTMCell(H), k.LSTMCell(H)]),
    "cells-mixed": lambda: sequences(k.RNN, [k.GRUCell(H), k.LSTMCell(2), k.SimpleRNNCell(5)]),
    "stacked_cells": lambda: sequences(
        k.RNN, k.StackedRNNCells([k.GRUCell(H, reset_after=False), k.GRUCell(2)])
    ),
    "one_cell": lambda: sequences(k.RNN, [k.GRUCell(H)]),
}
CASES = PLAIN | STACKED
EXPECTED = {
    "simple_rnn": penstock.RNN, "lstm": penstock.LSTM, "gru": penstock.GRU,
    "rnn-lstm_cell": penstock.LSTM, "cells": penstock.LSTM, "simple_rnn-relu": penstock.RNN,
    "gru-no_bias": penstock.GRU, "one_cell": penstock.GRU, "gru-dropout_1": penstock.GRU,
    "gru-before": penstock.Recurrent, "lstm-dropout": penstock.Recurrent, "cells-mixed": Chain,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_keras(case, tmp_path):
    layer, x = randomised(CASES[case]()), given()
    (expected,) = in_keras(layer, x)
    assert np.abs(expected).max() > 0.1
    for module in both_read(layer, tmp_path / "m.keras"):
        assert type(module) is EXPECTED.get(case, type(module))
        assert module.batch_first
        output, _ = in_penstock(module, x)
        np.testing.assert_allclose(output, expected, **TOLERANCE)


@pytest.mark.parametrize("case", PLAIN)
def test_final_states_and_initial_ones_are_those_of_keras(case):
    layer, x = randomised(CASES[case]()), given()
    layer.return_state = True
    count = len(layer.state_size)
    start = [np.random.default_rng(k).standard_normal((B, H)).astype(np.float32) for k in range(2)]
    expected, *states = in_keras(layer, x, initial_state=start[:count])
    hx = tuple(torch.from_numpy(s)[None] for s in start[:count])
    module = penstock.from_keras(layer)
    output, finals = in_penstock(module, x, hx if count > 1 else hx[0])
    np.testing.assert_allclose(output, expected, **TOLERANCE)
    for final, state in zip(finals, states, strict=True):
        np.testing.assert_allclose(final[0], state, **TOLERANCE)


def test_what_is_read_is_trained_further():
    module = penstock.from_keras(randomised(k.GRU(H)))
    assert not module.training
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    before = copy.deepcopy(module.state_dict())
    module(torch.from_numpy(given()))[0].square().mean().backward()
    optimizer.step()
    assert all(p.requires_grad for p in module.parameters())
    assert not any(torch.equal(before[name], p) for name, p in module.named_parameters())


def test_reading_draws_no_random_numbers():
    layer = randomised(k.LSTM(H))
    torch.manual_seed(0)
    penstock.from_keras(layer)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16", "mixed_bfloat16"])
def test_weights_keep_their_type(dtype, tmp_path):
    layer = k.LSTM(H, dtype=dtype, recurrent_initializer="glorot_uniform")
    layer.build((None, T, I))
    expected = torch.float32 if "mixed" in dtype else getattr(torch, dtype)
    for module in both_read(layer, tmp_path / "m.keras"):
        assert {p.dtype for p in module.parameters()} <= {expected, torch.float32}
        kernel = torch.from_numpy(keras.ops.convert_to_numpy(layer.cell.kernel).astype(np.float32))
        assert torch.equal(module.weight_ih_l0.detach().float().T, kernel)


# ---------------------------------------------------------------- both directions


MERGES = {"concat": "concat", "sum": "sum", "ave": "mean", "mul": "product"}
WRAPPED = {
    "simple_rnn": lambda: k.SimpleRNN(H, return_sequences=True),
    "lstm": lambda: k.LSTM(H, return_sequences=True),
    "gru": lambda: k.GRU(H, return_sequences=True),
    "gru-before": lambda: k.GRU(H, return_sequences=True, reset_after=False),
    "cell": lambda: k.RNN(k.LSTMCell(H), return_sequences=True),
    "cells": lambda: k.RNN([k.LSTMCell(5), k.LSTMCell(H)], return_sequences=True),
}


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("case", WRAPPED)
def test_both_directions(case, merge, tmp_path):
    layer, x = randomised(k.Bidirectional(WRAPPED[case](), merge_mode=merge)), given()
    (expected,) = in_keras(layer, x)
    for module in both_read(layer, tmp_path / "m.keras"):
        assert isinstance(module, BothWays) == (case == "cells")
        assert case == "cells" or module.bidirectional
        output, _ = in_penstock(module, x)
        np.testing.assert_allclose(output, expected, **TOLERANCE)


def test_the_last_output_of_both_directions_is_the_final_state():
    layer, x = randomised(k.Bidirectional(k.GRU(H))), given()
    (expected,) = in_keras(layer, x)
    _, (h,) = in_penstock(penstock.from_keras(layer), x)
    np.testing.assert_allclose(np.concatenate([h[0], h[1]], -1), expected, **TOLERANCE)


def test_directions_of_two_kinds():
    back = k.GRU(H, return_sequences=True, go_backwards=True)
    layer = randomised(
        k.Bidirectional(k.LSTM(H, return_sequences=True), backward_layer=back, merge_mode="sum")
    )
    module = penstock.from_keras(layer)
    assert isinstance(module, BothWays)
    np.testing.assert_allclose(
        in_penstock(module, given())[0], in_keras(layer, given())[0], **TOLERANCE
    )


def test_two_outputs_come_as_one_and_this_is_said():
    layer = randomised(k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode=None))
    with pytest.warns(UserWarning, match="merge_mode=None.*forwards.*backwards"):
        module = penstock.from_keras(layer)
    expected = np.concatenate(in_keras(layer, given()), -1)
    np.testing.assert_allclose(in_penstock(module, given())[0], expected, **TOLERANCE)


@pytest.mark.parametrize("kind", [k.SimpleRNN, k.LSTM, k.GRU])
def test_backwards_alone(kind, tmp_path):
    layer = randomised(kind(H, go_backwards=True, return_sequences=True))
    for module in both_read(layer, tmp_path / "m.keras"):
        assert isinstance(module, Backwards)
        np.testing.assert_allclose(
            in_penstock(module, given())[0], in_keras(layer, given())[0], **TOLERANCE
        )


def test_a_forward_layer_that_reads_backwards_is_named():
    layer = k.Bidirectional(
        k.LSTM(H, go_backwards=True), backward_layer=k.LSTM(H, go_backwards=False)
    )
    with pytest.raises(ArgumentError, match="reads backwards with its forward_layer"):
        penstock.from_keras(randomised(layer))


# ---------------------------------------------------------------- models


def deep():
    return keras.Sequential([
        keras.Input((None, I)),
        k.Bidirectional(k.LSTM(H, return_sequences=True)),
        k.Dropout(0.25),
        k.GRU(H, return_sequences=True, reset_after=False),
        k.GRU(H, return_sequences=True, reset_after=False),
        k.RNN([k.LSTMCell(5), k.LSTMCell(2)], return_sequences=True, go_backwards=True),
        k.SimpleRNN(3, return_sequences=True),
        k.Dropout(0.5),
    ])  # fmt: skip


def functional():
    inputs = keras.Input((None, I))
    x = k.LSTM(H, return_sequences=True, name="under")(inputs)
    x = k.LSTM(H, return_sequences=True, name="above")(x)
    return keras.Model(inputs, k.LSTM(5, return_sequences=True)(x))


def nested():
    inner = keras.Sequential([keras.Input((None, H)), k.GRU(2, return_sequences=True)])
    inputs = keras.Input((None, I))
    return keras.Model(inputs, inner(k.GRU(H, return_sequences=True)(inputs)))


def same_layers():
    between = [k.LSTM(H, return_sequences=True), k.Dropout(0.25)]
    last = k.LSTM(H, return_sequences=True)
    return keras.Sequential([keras.Input((None, I)), *between, k.LSTM.from_config(
        {**between[0].get_config(), "name": "second"}), k.Dropout(0.25), last])  # fmt: skip


def with_cast():
    inputs = keras.Input((None, I))
    x = k.GRU(H, return_sequences=True)(keras.ops.cast(inputs, "float32"))
    return keras.Model(inputs, keras.ops.cast(x, "float64"))


MODELS = [deep, functional, nested, same_layers, with_cast]


@pytest.mark.parametrize("model", MODELS, ids=lambda f: f.__name__)
def test_models(model, tmp_path):
    layer, x = randomised(model()), given()
    (expected,) = in_keras(layer, x)
    for module in both_read(layer, tmp_path / "m.keras"):
        np.testing.assert_allclose(in_penstock(module, x)[0], expected, **TOLERANCE)


def test_layers_of_one_kind_become_one_module_with_the_dropout_between():
    module = penstock.from_keras(randomised(same_layers()))
    assert type(module) is penstock.LSTM
    assert (module.num_layers, module.dropout) == (3, 0.25)


def test_a_chain_takes_and_gives_its_links_states():
    module, x = penstock.from_keras(randomised(deep())), torch.from_numpy(given())
    assert [type(part).__name__ for part in module.links] == [
        "Recurrent", "Dropout", "Recurrent", "Backwards", "Recurrent", "Dropout"
    ]  # fmt: skip
    with torch.no_grad():
        first, state = module(x[:, :4])
        again, _ = module(x[:, :4], tuple(state))
        zero, _ = module(x[:, :4], (None,) * len(state))
    assert torch.equal(first, zero)
    assert not torch.allclose(first, again)
    with pytest.raises(ArgumentError, match="give a tuple of 4"):
        module(x, state[:2])
    with pytest.raises(ArgumentError, match="give a tuple of 4"):
        module(x, 3)


@recurrent_dropout
def test_dropout_acts_in_training():
    layers = [k.LSTM(H, dropout=0.3, return_sequences=True), k.GRU(H, recurrent_dropout=0.4)]
    module = penstock.from_keras(randomised(keras.Sequential([keras.Input((None, I)), *layers])))
    assert [part.input_dropout for part in module.links] == [0.3, 0.0]
    assert [part.modifiers.recurrent_dropout for part in module.links] == [0.0, 0.4]


def test_layers_are_taken_by_name(tmp_path):
    inputs = keras.Input((None, I))
    x = k.LSTM(H, return_sequences=True, name="one")(k.Dense(H)(inputs))
    hidden = k.GRU(2, return_sequences=True, name="two")(x)
    model = randomised(keras.Model(inputs, k.Dense(1, name="head")(hidden)))
    path = saved(model, tmp_path / "m.keras")
    x = given(size=H)
    for source in (model, path, str(path)):
        with pytest.raises(ArgumentError, match=r"Dense 'head'.*name=\['one', 'two'\]"):
            penstock.from_keras(source)
        module = penstock.from_keras(source, name=["one", "two"])
        (expected,) = in_keras(model.get_layer("two"), model.get_layer("one")(x))
        np.testing.assert_allclose(in_penstock(module, x)[0], expected, **TOLERANCE)
        assert type(penstock.from_keras(source, name="two")) is penstock.GRU
        with pytest.raises(ArgumentError, match="no layer 'tow'; did you mean 'two'"):
            penstock.from_keras(source, name="tow")
        with pytest.raises(ArgumentError, match="Dense 'head'"):
            penstock.from_keras(source, name="head")
    with pytest.raises(ArgumentError, match="name is 3"):
        penstock.from_keras(model, name=3)


# ---------------------------------------------------------------- masks


def masked(x, lengths):
    mask = np.arange(T) < np.array(lengths)[:, None]
    return mask, np.where(mask[..., None], x, 0).astype(np.float32)


LENGTHS = [7, 3, 5]


def test_lengths_are_masks_but_for_outputs_past_the_end():
    layer = randomised(k.GRU(H, return_sequences=True, return_state=True, reset_after=False))
    mask, x = masked(given(), LENGTHS)
    expected, final = in_keras(layer, x, mask=mask)
    output, (h,) = in_penstock(penstock.from_keras(layer), x, None, LENGTHS)
    np.testing.assert_allclose(output[mask], expected[mask], **TOLERANCE)
    np.testing.assert_allclose(h[0], final, **TOLERANCE)
    assert not output[~mask].any()
    np.testing.assert_allclose(expected[1, -1], expected[1, 2], **TOLERANCE)  # repeated by Keras


@pytest.mark.parametrize("case", WRAPPED)
def test_under_bidirectional_masks_are_lengths(case):
    layer = randomised(k.Bidirectional(WRAPPED[case](), merge_mode="sum"))
    mask, x = masked(given(), LENGTHS)
    (expected,) = in_keras(layer, x, mask=mask)
    output, _ = in_penstock(penstock.from_keras(layer), x, None, LENGTHS)
    np.testing.assert_allclose(output, expected, **TOLERANCE)


def test_backwards_with_lengths_starts_at_the_valid_steps():
    layer = randomised(k.LSTM(H, return_sequences=True, go_backwards=True))
    mask, x = masked(given(), LENGTHS)
    (expected,) = in_keras(layer, x, mask=mask)
    output, _ = in_penstock(penstock.from_keras(layer), x, None, torch.tensor(LENGTHS))
    for row, n in enumerate(LENGTHS):  # Keras gives the padding first
        np.testing.assert_allclose(output[row, :n], expected[row, T - n :], **TOLERANCE)
        assert not output[row, n:].any()


def test_a_mask_layer_is_said_to_become_lengths(tmp_path):
    model = randomised(keras.Sequential([keras.Input((None, I)), k.Masking(), k.LSTM(H)]))
    _, x = masked(given(), LENGTHS)
    (expected,) = in_keras(model, x)
    path = saved(model, tmp_path / "m.keras")
    for source in (model, path):
        with pytest.warns(UserWarning, match="'masking.*' hides padded steps.*length"):
            module = penstock.from_keras(source)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            torch.from_numpy(x), LENGTHS, batch_first=True, enforce_sorted=False
        )
        h = module(packed)[1][0][0].detach().numpy()
        np.testing.assert_allclose(h, expected, **TOLERANCE)


# ---------------------------------------------------------------- what does not carry over


def test_a_stateful_layer_is_said_to_need_its_state():
    layer = k.LSTM(H, stateful=True, return_sequences=True)
    layer.build((B, T, I))
    with pytest.warns(UserWarning, match="stateful.*give that which the last call returned"):
        module = penstock.from_keras(layer)
    x = given()
    in_keras(layer, x)
    (expected,) = in_keras(layer, x)
    with torch.no_grad():
        _, state = module(torch.from_numpy(x))
    np.testing.assert_allclose(in_penstock(module, x, state)[0], expected, **TOLERANCE)


def test_masks_of_recurrent_dropout_are_said_to_differ():
    with pytest.warns(UserWarning, match="a mask a gate.*training alone"):
        penstock.from_keras(randomised(k.LSTM(H, recurrent_dropout=0.1)))


class OwnLSTM(k.LSTM):
    pass


class OwnCell(k.LSTMCell):
    pass


class Broken(k.Layer):
    def get_config(self):
        raise NotImplementedError("not written")


REFUSED = {
    "has activation='relu'.*tanh.*penstock.Cell": lambda: k.LSTM(H, activation="relu"),
    "recurrent_activation='hard_sigmoid'": lambda: k.GRU(H, recurrent_activation="hard_sigmoid"),
    "activation='linear'": lambda: k.SimpleRNN(H, activation=None),
    "activation='own'": lambda: k.SimpleRNN(H, activation=own),
    "OwnLSTM": lambda: OwnLSTM(H),
    "cell OwnCell": lambda: k.RNN(OwnCell(H)),
    "ConvLSTM1D 'conv": lambda: keras.Sequential(
        [keras.Input((None, 5, 2)), k.ConvLSTM1D(2, 1, name="conv")]
    ),
    "LSTMCell": lambda: k.LSTMCell(H),
    "bidirectional over a OwnLSTM": lambda: k.Bidirectional(OwnLSTM(H)),
    "not written.*one by one": lambda: keras.Sequential([Broken()]),
    "no weights yet; call": lambda: k.LSTM(H),
    "no recurrent layer": lambda: keras.Sequential([keras.Input((None, I)), k.Dropout(0.1)]),
    "no layer of Keras 3": lambda: torch.nn.LSTM(3, 4),
    "a dict is no layer": lambda: {"class_name": "LSTM"},
}


def own(x):
    return keras.ops.tanh(x)


@pytest.mark.filterwarnings("ignore:.*custom:UserWarning")
@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_counterpart_is_named(message):
    keras.saving.get_custom_objects().update(OwnLSTM=OwnLSTM)
    layer = REFUSED[message]()
    unbuilt = ("no weights yet", "not written")
    if isinstance(layer, k.RNN | k.Bidirectional) and not message.startswith(unbuilt):
        randomised(layer)
    with pytest.raises(ArgumentError, match=message):
        penstock.from_keras(layer)


def test_layers_that_do_not_follow_each_other_are_named():
    inputs = keras.Input((None, I))
    _, h, c = k.LSTM(H, return_state=True, name="encoder")(inputs)
    decoded = k.LSTM(H, return_sequences=True, name="decoder")(inputs, initial_state=[h, c])
    model = randomised(keras.Model(inputs, decoded))
    with pytest.raises(ArgumentError, match=r"'decoder' reads several.*name=.*state"):
        penstock.from_keras(model)
    assert type(penstock.from_keras(model, name="decoder")) is penstock.LSTM
    two = [k.GRU(H, name=name) for name in ("left", "right")]
    model = keras.Model(inputs, [layer(inputs) for layer in two])
    with pytest.raises(ArgumentError, match="several read one"):
        penstock.from_keras(model)
    layer = k.GRU(I, return_sequences=True, name="twice")
    with pytest.raises(ArgumentError, match="'twice' reads several"):
        penstock.from_keras(keras.Model(inputs, layer(layer(inputs))))


def test_a_state_that_the_next_layer_reads_is_no_chain():
    inputs = keras.Input((None, I))
    _, h = k.GRU(H, return_sequences=True, return_state=True)(inputs)
    model = keras.Model(inputs, k.GRU(2)(keras.ops.expand_dims(h, 1)))
    with pytest.raises(ArgumentError, match="ExpandDims"):
        penstock.from_keras(model)
    model = keras.Model(inputs, k.GRU(2)(keras.ops.cast(inputs, "int32")))
    with pytest.raises(ArgumentError, match=r"casts to int32.*name="):
        penstock.from_keras(model)


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return saved(randomised(functional()), tmp_path_factory.mktemp("keras") / "m.keras")


def rewritten(file, path, **members):
    """Copy an archive with other bytes for some members, by the first word of their names."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = members.get(name.partition(".")[0], lambda old: old)(old.read(name))
            if content is not None:
                new.writestr(name, content)
    return path


def reconfigured(change):
    def changed(old):
        config = json.loads(old)
        change(config["config"])
        return json.dumps(config)

    return changed


def first_lstm(config):
    return config["layers"][1]["config"]


def in_h5(change, tmp_path):
    def changed(old):
        path = tmp_path / "w.h5"
        path.write_bytes(old)
        with h5py.File(path, "r+") as opened:
            change(opened)
        return path.read_bytes()

    return changed


CELL = "layers/lstm/cell/vars"


def bomb(opened):
    """A cell's kernel of 4 TB that takes no place in the file."""
    del opened[f"{CELL}/0"]
    opened[CELL].create_dataset("0", (2**20, 2**20), "f4", chunks=(1, 2**10))


def virtual(opened):
    del opened[f"{CELL}/0"]
    layout = h5py.VirtualLayout((I, 4 * H), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (I, 4 * H))
    opened[CELL].create_virtual_dataset("0", layout)


def external(opened):
    del opened[f"{CELL}/0"]
    opened[CELL].create_dataset("0", (I, 4 * H), "f4", external=[("/etc/passwd", 0, 192)])


def linked(link):
    def change(opened):
        del opened[f"{CELL}/0"]
        opened[f"{CELL}/0"] = link

    return change


def replaced(value):
    def change(opened):
        del opened[f"{CELL}/0"]
        opened[f"{CELL}/0"] = value

    return change


def without(name):
    def change(opened):
        del opened[name]

    return change


WEIGHTS = {
    "bomb": (bomb, DataError, "GiB, and the limit"),
    "virtual": (virtual, ModelFileError, "no plain array as variable 0"),
    "external": (external, ModelFileError, "no plain array as variable 0"),
    "link out": (linked(h5py.ExternalLink("/etc/x.h5", "/a")), ModelFileError, "a link to"),
    "soft link": (linked(h5py.SoftLink("/vars")), ModelFileError, "a link to elsewhere"),
    "text": (replaced(["a"]), ModelFileError, "in object"),
    "whole numbers": (replaced(np.zeros((I, 16), int)), ModelFileError, "in int64"),
    "shape": (replaced(np.zeros((I, 15), "f4")), ModelFileError, "do not fit 4 units"),
    "flat": (replaced(np.zeros(16, "f4")), ModelFileError, "do not fit 4 units"),
    "no kernel": (without(f"{CELL}/0"), ModelFileError, "2 variables|do not fit|no layers"),
    "no cell": (without("layers/lstm/cell"), ModelFileError, "no layers/lstm/cell"),
    "nothing": (without("layers"), ModelFileError, "no layers/lstm"),
}
CONFIGS = {
    "units": (lambda c: first_lstm(c).update(units=10**12), "units"),
    "units of text": (lambda c: first_lstm(c).update(units="4"), "'under'.*units"),
    "other units": (lambda c: first_lstm(c).update(units=5), "do not fit 5 units"),
    "bias": (lambda c: first_lstm(c).update(use_bias=False), "do not fit"),
    "rate": (lambda c: first_lstm(c).update(dropout=2), "dropout"),
    "no layers": (lambda c: c.pop("layers"), "layers"),
    "a number": (lambda c: c.update(layers=3), "layers"),
    "history": (
        lambda c: c["layers"][1].update(inbound_nodes=[{"keras_history": 3}]), "cannot be read"
    ),
}  # fmt: skip
ARCHIVES = {
    "no config": ({"config": lambda _: None}, "holds no config.json"),
    "no weights": ({"model": lambda _: None}, "holds no model.weights.h5"),
    "no metadata": ({"metadata": lambda _: None}, "holds no metadata.json"),
    "JSON": ({"config": lambda _: "{"}, "cannot be read"),
    "deep JSON": ({"config": lambda _: "[" * 10**6}, "cannot be read"),
    "a list": ({"config": lambda _: "[]"}, "nothing usable of 'the model'"),
    "large JSON": ({"config": lambda _: " " * (17 * 2**20)}, "more than 16 MiB"),
    "old": ({"metadata": lambda _: '{"keras_version": "2.15.0"}'}, "of Keras 2.15.0"),
    "HDF5": ({"model": lambda _: b"\x89HDF\r\n\x1a\n" + bytes(99)}, "cannot be read"),
    "no HDF5": ({"model": lambda _: b"weights"}, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS)
def test_damaged_weights_are_one_error(case, file, tmp_path):
    change, error, message = WEIGHTS[case]
    path = rewritten(file, tmp_path / "d.keras", model=in_h5(change, tmp_path))
    with pytest.raises(error, match=message) as raised:
        penstock.from_keras(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("case", CONFIGS)
def test_damaged_settings_are_one_error(case, file, tmp_path):
    change, message = CONFIGS[case]
    path = rewritten(file, tmp_path / "d.keras", config=reconfigured(change))
    with pytest.raises(ModelFileError, match=message):
        penstock.from_keras(path)


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_damaged_archive_is_one_error(case, file, tmp_path):
    members, message = ARCHIVES[case]
    path = rewritten(file, tmp_path / "d.keras", **members)
    with pytest.raises(ModelFileError, match=message):
        penstock.from_keras(path)


def test_a_file_that_is_no_model_is_one_error(file, tmp_path):
    for name, content in {"cut": file.read_bytes()[:-100], "text": b"x", "none": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFileError, match=rf"{name} cannot be read.*model\.save"):
            penstock.from_keras(tmp_path / name)
    with pytest.raises(DataError, match="does not exist"):
        penstock.from_keras(tmp_path / "missing.keras")
    with pytest.raises(DataError, match="is a folder"):
        penstock.from_keras(tmp_path)


def test_an_archive_that_unpacks_to_too_much_is_refused(file, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "0.01")
    path = rewritten(file, tmp_path / "d.keras", model=lambda old: old + bytes(20 * 2**20))
    with pytest.raises(DataError, match="the limit is"):
        penstock.from_keras(path)


def test_bytes_turned_at_random_are_errors_of_ours_or_nothing(file, tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "d.keras"

    def turned(old):
        content = bytearray(old)
        for at in random.integers(0, len(content), 5):
            content[at] = random.integers(256)
        return bytes(content)

    for _ in range(40):
        rewritten(file, path, model=turned)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ModelFileError, DataError):
                penstock.from_keras(path)


def test_a_function_in_a_file_is_not_run(tmp_path):
    inputs = keras.Input((None, I))
    told = tmp_path / "run"
    x = k.Lambda(eval(f"lambda x: (open({str(told)!r}, 'w').close(), x)[1]"))(inputs)
    told.unlink()
    path = saved(keras.Model(inputs, k.LSTM(H, name="lstm")(x)), tmp_path / "m.keras")
    with pytest.raises(ArgumentError, match=r"Lambda 'lambda.*name='lstm'"):
        penstock.from_keras(path)
    penstock.from_keras(path, name="lstm")
    assert not told.exists()


def test_a_file_takes_h5py_and_not_keras(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    assert isinstance(penstock.from_keras(file), Chain)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ArgumentError, match=r"takes the library h5py: pip install 'penstock\[ker"):
        penstock.from_keras(file)
