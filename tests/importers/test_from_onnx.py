"""RNN, LSTM and GRU nodes of ONNX come in with their weights.

Oracles: ONNX's own backend tests of nodes, onnxruntime, and torch.nn through torch's exporters.
"""

import contextlib
import importlib
import io
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case import node as node_cases
from torch import nn

import penstock
from penstock.errors import ArgumentError, DataError, ModelFileError
from penstock.importers.modules import Backwards, BothWays, Chain

T, B, I, H = 6, 3, 4, 5
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
FLOAT = TensorProto.FLOAT


def flat(value):
    return [value] if torch.is_tensor(value) else [t for v in value for t in flat(v)]


def run(module, x, *args):
    with torch.no_grad(), penstock.backend("eager"):  # that which takes no compiling
        output, state = module(torch.from_numpy(x), *args)
    return output.numpy(), [s.numpy() for s in flat(state)]


# ---------------------------------------------------------------- ONNX's own tests


def own_cases():
    for name in ("rnn", "lstm", "gru"):
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    ops = {"RNN", "LSTM", "GRU"}
    return [c for c in node_cases._NodeTestCases if c.model.graph.node[0].op_type in ops]


OWN = own_cases()


def test_onnx_has_the_tests_that_it_had():
    assert len(OWN) >= 18


def as_in_onnx(node, output, states):
    """Return Y, Y_h and Y_c as ONNX lays them out."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    D = 2 if attributes.get("direction") == b"bidirectional" else 1
    y = output.reshape(*output.shape[:2], D, -1)  # [B, T, D, H] in layout 1
    if attributes.get("layout"):
        return [y, *(s.swapaxes(0, 1) for s in states)]
    return [y.swapaxes(1, 2), *states]


@pytest.mark.parametrize("case", OWN, ids=lambda c: c.name)
@pytest.mark.parametrize("given_as", ["model", "node"])
def test_a_node_gives_what_onnx_says(case, given_as):
    model = case.model
    node = model.graph.node[0]
    for inputs, outputs in case.data_sets:
        named = dict(zip((i.name for i in model.graph.input), inputs, strict=True))
        called = ("X", "sequence_lens", "initial_h", "initial_c")
        weights = {name: value for name, value in named.items() if name not in called}
        module = penstock.from_onnx(node if given_as == "node" else model, weights=weights)
        state = tuple(torch.from_numpy(named[n]) for n in called[2:] if n in named) or None
        lengths = named.get("sequence_lens")
        more = [] if lengths is None else [torch.from_numpy(lengths)]
        output, states = run(module, named["X"], state, *more)
        every = dict(zip(("Y", "Y_h", "Y_c"), as_in_onnx(node, output, states), strict=False))
        wanted = [
            slot for slot, name in zip(("Y", "Y_h", "Y_c"), node.output, strict=False) if name
        ]
        for slot, expected in zip(wanted, outputs, strict=True):
            np.testing.assert_allclose(every[slot], expected, **TOLERANCE)


# ---------------------------------------------------------------- onnxruntime


def drawn(*shape, seed=0):
    return np.random.default_rng((*shape, seed)).standard_normal(shape).astype(np.float32)


GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STATES = {"RNN": 1, "GRU": 1, "LSTM": 2}


def tensors_of(op, D, inputs=I, peepholes=False, seed=0):
    rows = GATES[op] * H
    found = {
        "W": drawn(D, rows, inputs, seed=seed),
        "R": drawn(D, rows, H, seed=seed + 1),
        "B": drawn(D, 2 * rows, seed=seed + 2),
    }
    return found | ({"P": drawn(D, 3 * H, seed=seed + 3)} if peepholes else {})


def model_of(nodes, tensors, inputs, outputs, opset=21, name="g"):
    """Return a model; inputs: names → shapes, whose texts are free sizes."""
    types = {"lengths": TensorProto.INT32}
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, FLOAT, None) for n in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in tensors.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def recurrent(op, D, peepholes=False, **attributes):
    """Return a model of one node that takes lengths and initial states, and its weights."""
    tensors = tensors_of(op, D, peepholes=peepholes)
    state = ["h", "c"][: STATES[op]]
    inputs = ["X", "W", "R", "B", "lengths", *state, *(["P"] if peepholes else [])]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + STATES[op]]
    node = helper.make_node(op, inputs, outputs, "one", hidden_size=H, **attributes)
    shapes = {"X": ["T", "B", I], "lengths": ["B"], **{s: [D, "B", H] for s in state}}
    return model_of([node], tensors, shapes, outputs), len(state)


def in_onnxruntime(model, feeds):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


VARIANTS = {
    "rnn": ("RNN", {}, penstock.RNN),
    "rnn-relu": ("RNN", {"activations": ["Relu"]}, penstock.RNN),
    "rnn-clip": ("RNN", {"clip": 0.5}, penstock.Recurrent),
    "lstm": ("LSTM", {}, penstock.LSTM),
    "lstm-named": ("LSTM", {"activations": ["Sigmoid", "Tanh", "Tanh"]}, penstock.LSTM),
    "lstm-clip": ("LSTM", {"clip": 0.5}, penstock.Recurrent),
    "lstm-peepholes": ("LSTM", {"peepholes": True}, penstock.Recurrent),
    "lstm-peepholes-clip": ("LSTM", {"peepholes": True, "clip": 0.5}, penstock.Recurrent),
    "lstm-coupled": ("LSTM", {"input_forget": 1}, penstock.Recurrent),
    "lstm-coupled-clip": ("LSTM", {"input_forget": 1, "clip": 0.5}, penstock.Recurrent),
    "gru-before": ("GRU", {}, penstock.Recurrent),
    "gru-after": ("GRU", {"linear_before_reset": 1}, penstock.GRU),
    "gru-clip": ("GRU", {"linear_before_reset": 1, "clip": 0.5}, penstock.Recurrent),
    "gru-before-clip": ("GRU", {"clip": 0.5}, penstock.Recurrent),
}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def attributes_of(variant, direction):
    op, attributes, kind = VARIANTS[variant]
    D = DIRECTIONS[direction]
    found = dict(attributes, direction=direction)
    if "activations" in found:
        found["activations"] = found["activations"] * D
    return op, D, found, kind


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_and_states_are_those_of_onnxruntime(variant, direction):
    op, D, attributes, kind = attributes_of(variant, direction)
    model, count = recurrent(op, D, **attributes)
    module = penstock.from_onnx(model)
    assert type(module) is (Backwards if direction == "reverse" else kind)
    start = [drawn(D, B, H, seed=7 + k) for k in range(count)]
    x = 2 * drawn(T, B, I, seed=9)
    for lengths in ([T] * B, [T, 2, 4]):
        feeds = {"X": x, "lengths": np.array(lengths, np.int32)}
        expected = in_onnxruntime(model, feeds | dict(zip("hc", start, strict=False)))
        state = tuple(map(torch.from_numpy, start))
        output, states = called(module, x, state if count > 1 else state[0], lengths)
        got = as_in_onnx(model.graph.node[0], output, states)
        for mine, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=2e-5)


def called(module, x, state, lengths):
    """Call a module; torch.nn's drop-ins take lengths in a PackedSequence alone."""
    if not isinstance(module, penstock.RNN | penstock.LSTM | penstock.GRU):
        return run(module, x, state, lengths)
    packed = nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, enforce_sorted=False)
    with torch.no_grad(), penstock.backend("eager"):
        output, state = module(packed, state)
    output, _ = nn.utils.rnn.pad_packed_sequence(output)
    return output.numpy(), [s.numpy() for s in flat(state)]


def test_a_limit_and_coupled_gates_are_not_overlooked():
    x = 2 * drawn(T, B, I, seed=9)
    results = []
    for variant in ("lstm", "lstm-clip", "lstm-coupled", "lstm-peepholes"):
        op, D, attributes, _ = attributes_of(variant, "forward")
        results.append(run(penstock.from_onnx(recurrent(op, D, **attributes)[0]), x)[0])
    for k, one in enumerate(results):
        assert all(np.abs(one - other).max() > 1e-2 for other in results[:k])


def test_directions_with_other_activations():
    model, _ = recurrent("RNN", 2, direction="bidirectional", activations=["Tanh", "Relu"])
    module = penstock.from_onnx(model)
    assert isinstance(module, BothWays)
    x, h = drawn(T, B, I), drawn(2, B, H)
    feeds = {"X": x, "h": h, "lengths": np.array([T, 2, 4], np.int32)}
    expected = in_onnxruntime(model, feeds)
    state = tuple(torch.from_numpy(s)[None] for s in h)
    output, states = run(module, x, state, [T, 2, 4])
    got = as_in_onnx(model.graph.node[0], output, [np.concatenate(states)])
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, **TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_weights_keep_their_type(dtype):
    model, _ = recurrent("GRU", 1)
    weights = {n: v.astype(dtype) for n, v in tensors_of("GRU", 1).items()}
    module = penstock.from_onnx(model, weights=weights)
    assert {p.dtype for p in module.parameters()} == {getattr(torch, np.dtype(dtype).name)}


def test_without_biases():
    node = helper.make_node("LSTM", ["X", "W", "R"], ["Y"], hidden_size=H)
    tensors = {n: v for n, v in tensors_of("LSTM", 1).items() if n != "B"}
    model = model_of([node], tensors, {"X": [T, B, I]}, ["Y"])
    module, x = penstock.from_onnx(model), drawn(T, B, I)
    assert not module.bias
    (expected,) = in_onnxruntime(model, {"X": x})
    np.testing.assert_allclose(run(module, x)[0], expected[:, 0], **TOLERANCE)


def test_a_constant_initial_state_is_learned_from_then_on():
    start = {"h0": drawn(2, 1, H).repeat(B, 1), "c0": np.zeros((2, B, H), np.float32)}
    names = ["X", "W", "R", "B", "", "h0", "c0"]
    node = helper.make_node("LSTM", names, ["Y"], hidden_size=H, direction="bidirectional")
    model = model_of([node], tensors_of("LSTM", 2) | start, {"X": ["T", B, I]}, ["Y"])
    module, x = penstock.from_onnx(model), drawn(T, B, I)
    assert module.trainable_state
    assert module.initial_h.requires_grad
    (expected,) = in_onnxruntime(model, {"X": x})
    (got, _) = run(module, x)
    np.testing.assert_allclose(got.reshape(T, B, 2, H).swapaxes(1, 2), expected, **TOLERANCE)


# ---------------------------------------------------------------- several nodes


def layer(op, k, x, inputs, D=1, **attributes):
    """Return a node that reads x, with the names of its tensors ending in its number."""
    tensors = {f"{n}{k}": v for n, v in tensors_of(op, D, inputs, seed=10 * k).items()}
    names = [x, *tensors]
    direction = "bidirectional" if D == 2 else "forward"
    attributes = {"direction": direction, "hidden_size": H} | attributes
    return helper.make_node(op, names, [f"y{k}", f"h{k}"], f"layer{k}", **attributes), tensors


def stack_of(between, D=1, op="GRU", width=H, last=()):
    """Return a model of two layers with some nodes from y0 to x1, and some from y1 to y."""
    first, tensors = layer(op, 0, "X", I, D)
    second, more = layer(op, 1, "x1", width, D)
    constants = {"axes": [1], "axis2": [2], "rows": [0, 0, -1], "two": [2.0]}
    arrays = {n: np.array(v, np.float32 if n == "two" else np.int64) for n, v in constants.items()}
    outputs = ["y"] if last else ["y1"]
    return model_of(
        [first, *between, second, *last], tensors | more | arrays, {"X": ["T", "B", I]}, outputs
    )


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], f"{op}_{output}", **attributes)


SQUEEZED = [node("Squeeze", ["y0", "axes"], "x1")]
SIDE_BY_SIDE = [
    node("Transpose", ["y0"], "t0", perm=[0, 2, 1, 3]), node("Reshape", ["t0", "rows"], "x1")
]  # fmt: skip
SUMMED = [node("ReduceSum", ["y0", "axes"], "x1", keepdims=0)]
SUMMED_LAST = [node("ReduceSum", ["y1", "axes"], "y", keepdims=0)]
HALVED = [*SUMMED[:-1], node("ReduceSum", ["y0", "axes"], "s0", keepdims=0),
          node("Div", ["s0", "two"], "x1")]  # fmt: skip
HALVED_LAST = [node("ReduceMean", ["y1", "axes"], "y", keepdims=0)]
STACKS = {
    "squeezed": (stack_of(SQUEEZED), "concat"),
    "through identity": (
        stack_of([node("Identity", ["y0"], "i"), node("Squeeze", ["i", "axes"], "x1")]), "concat"
    ),
    "there and back": (
        stack_of([
            node("Squeeze", ["y0", "axes"], "a"), node("Transpose", ["a"], "b", perm=[1, 0, 2]),
            node("Transpose", ["b"], "x1", perm=[1, 0, 2]),
        ]), "concat",
    ),
    "side by side": (stack_of(SIDE_BY_SIDE, 2, width=2 * H), "concat"),
    "summed": (stack_of(SUMMED, 2, last=SUMMED_LAST), "sum"),
    "mean": (stack_of(HALVED, 2, last=HALVED_LAST), "mean"),
}  # fmt: skip


@pytest.mark.parametrize("case", STACKS)
def test_layers_become_one_module(case):
    model, merge = STACKS[case]
    module, x = penstock.from_onnx(model), drawn(T, B, I)
    assert type(module) is penstock.Recurrent
    assert (module.num_layers, module.merge, module.batch_first) == (2, merge, False)
    (expected,) = in_onnxruntime(model, {"X": x})
    output, _ = run(module, x)
    if expected.ndim == 4:
        output = output.reshape(T, B, -1, H).swapaxes(1, 2)
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=2e-5)


def test_a_wrong_order_of_steps_and_rows_is_no_stack():
    flat_rows = [node("Reshape", ["y0", "rows"], "x1")]  # mixes directions and rows
    with pytest.raises(ArgumentError, match="GRU 'layer1' does not read the output of GRU"):
        penstock.from_onnx(stack_of(flat_rows, 2, width=B * H))
    mixed = [node("Reshape", ["y0", "wide"], "x1")]  # of the right shape, without the Transpose
    model = stack_of(mixed, 2, width=2 * H)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, -1, 2 * H]), "wide"))
    assert in_onnxruntime(model, {"X": drawn(T, B, I)})[0].shape == (T, 2, B, H)
    with pytest.raises(ArgumentError, match="GRU 'layer1' does not read the output of GRU"):
        penstock.from_onnx(model)
    turned = [
        node("Squeeze", ["y0", "axes"], "a"), node("Transpose", ["a"], "x1", perm=[1, 0, 2])
    ]  # fmt: skip
    with pytest.raises(ArgumentError, match=r"layer1.*take one of them by name='layer0' or"):
        penstock.from_onnx(stack_of(turned))


def test_layers_of_several_kinds_become_a_chain():
    first, tensors = layer("GRU", 0, "X", I, 2)
    second, more = layer("LSTM", 1, "x1", 2 * H, direction="reverse")
    constants = {"rows": np.array([0, 0, -1])}
    nodes = [first, *SIDE_BY_SIDE, second]
    model = model_of(nodes, tensors | more | constants, {"X": [T, B, I]}, ["y1"])
    module, x = penstock.from_onnx(model), drawn(T, B, I)
    assert isinstance(module, Chain)
    (expected,) = in_onnxruntime(model, {"X": x})
    np.testing.assert_allclose(run(module, x)[0], expected[:, 0], **TOLERANCE)
    one = penstock.from_onnx(model, "layer1")
    assert isinstance(one, Backwards)
    assert type(penstock.from_onnx(model, "layer0")) is penstock.Recurrent
    both = penstock.from_onnx(model, ["layer0", "layer1"])
    np.testing.assert_allclose(run(both, x)[0], expected[:, 0], **TOLERANCE)
    assert type(penstock.from_onnx(model, "y0")) is penstock.Recurrent  # by its output


def test_nodes_are_taken_out_of_a_larger_model(tmp_path):
    first, tensors = layer("GRU", 0, "e", I)
    second, more = layer("GRU", 1, "x1", H)
    embed = node("MatMul", ["X", "E"], "e")
    head = [node("Relu", ["y1"], "r"), helper.make_node("own", ["r"], ["y"], "o", domain="mine")]
    nodes = [embed, first, *SQUEEZED, second, *head]
    constants = {"axes": np.array([1]), "E": drawn(2, I)}
    model = model_of(nodes, tensors | more | constants, {"X": [T, B, 2]}, ["y"])
    message = r"also has MatMul.*Relu.*mine.own 'o'.*name=\['layer0', 'layer1'\]"
    with pytest.raises(ArgumentError, match=message):
        penstock.from_onnx(model)
    onnx.save(model, tmp_path / "m.onnx")
    module = penstock.from_onnx(tmp_path / "m.onnx", ["layer0", "layer1"])
    alone = stack_of(SQUEEZED)
    x = drawn(T, B, I)
    np.testing.assert_array_equal(run(module, x)[0], run(penstock.from_onnx(alone), x)[0])
    with pytest.raises(ArgumentError, match="no recurrent node 'layer'; did you mean"):
        penstock.from_onnx(model, "layer")
    with pytest.raises(ArgumentError, match="name is 3; give a name, or a list"):
        penstock.from_onnx(model, 3)


def test_nodes_beside_each_other_are_named():
    first, tensors = layer("GRU", 0, "X", I)
    second, more = layer("GRU", 1, "X", I)
    model = model_of([first, second], tensors | more, {"X": [T, B, I]}, ["y0", "y1"])
    with pytest.raises(ArgumentError, match=r"layer1.*does not read.*layer0.*name='layer0' or"):
        penstock.from_onnx(model)
    unread = model_of([first, second], tensors | more, {"X": [T, B, I]}, ["y0"])
    with pytest.raises(ArgumentError, match="no output of the model needs GRU 'layer1'"):
        penstock.from_onnx(unread)


# ---------------------------------------------------------------- torch's exporters


@pytest.mark.filterwarnings("ignore")  # torch warns of its own old exporter
@pytest.mark.parametrize("folding", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_torch_exported_comes_back(kind, bidirectional, batch_first, folding):
    torch.manual_seed(0)
    theirs = kind(I, H, 2, batch_first=batch_first, bidirectional=bidirectional).eval()
    x, written = torch.randn(T, B, I), io.BytesIO()
    torch.onnx.export(
        theirs, (x,), written, dynamo=False, input_names=["x"], dynamic_axes={"x": [0, 1]},
        do_constant_folding=folding,
    )  # fmt: skip
    module = penstock.from_onnx(onnx.load_from_string(written.getvalue()))
    assert type(module) is getattr(penstock, kind.__name__)
    assert (module.num_layers, module.batch_first) == (2, batch_first)
    with torch.no_grad(), penstock.backend("eager"):
        for mine, expected in zip(flat(module(x)), flat(theirs(x)), strict=True):
            torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore")
def test_what_torchs_new_exporter_wrote_comes_back(tmp_path):
    torch.manual_seed(0)
    theirs = nn.LSTM(I, H, 2, batch_first=True, bidirectional=True).eval()
    x, path = torch.randn(B, T, I), tmp_path / "m.onnx"
    torch.onnx.export(theirs, (x,), str(path), dynamo=True, external_data=True, verbose=False)
    assert (tmp_path / "m.onnx.data").exists()  # with the weights
    module = penstock.from_onnx(path)
    assert type(module) is penstock.LSTM
    with torch.no_grad(), penstock.backend("eager"):
        for mine, expected in zip(flat(module(x)), flat(theirs(x)), strict=True):
            torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


# ---------------------------------------------------------------- what has no counterpart


def single(op="LSTM", D=1, names=("X", "W", "R", "B"), extra=None, inputs=None, **attributes):
    tensors = tensors_of(op, D) | (extra or {})
    made = helper.make_node(op, list(names), ["Y"], "one", **{"hidden_size": H} | attributes)
    held = {n: v for n, v in tensors.items() if n in names}
    return model_of([made], held, {"X": [T, B, I]} | (inputs or {}), ["Y"])


STARTS = ("X", "W", "R", "B", "", "h0")
REFUSED = {
    "'one' has the activations HardSigmoid, Tanh, Tanh.*sigmoid, tanh, tanh": lambda: single(
        activations=["HardSigmoid", "Tanh", "Tanh"]
    ),
    "activations Affine": lambda: single("RNN", activations=["Affine"]),
    "both input_forget=1 and peepholes": lambda: single(
        names=("X", "W", "R", "B", "", "", "", "P"), extra={"P": drawn(1, 3 * H)}, input_forget=1
    ),
    "the W 'w', which is an input of the model.*weights=": lambda: single(
        names=("X", "w", "R", "B"), inputs={"w": [1, 4 * H, I]}
    ),
    "starts each row from another constant": lambda: single(
        names=STARTS, extra={"h0": drawn(1, B, H)}
    ),
    "no RNN, LSTM or GRU node": lambda: model_of(
        [node("Relu", ["X"], "Y")], {}, {"X": [1]}, ["Y"]
    ),
    "no RNN, LSTM or GRU node; what is inside of If": lambda: model_of(
        [helper.make_node("If", ["X"], ["Y"], "If_Y", then_branch=branch(), else_branch=branch())],
        {}, {"X": [1]}, ["Y"],
    ),
}  # fmt: skip


def branch():
    return single().graph


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_counterpart_is_named(message):
    with pytest.raises(ArgumentError, match=message):
        penstock.from_onnx(REFUSED[message]())


def test_an_input_that_is_made_otherwise_is_named():
    made = helper.make_node("GRU", ["x", "W", "R"], ["Y"], "one", hidden_size=H)
    turned = node("Transpose", ["X"], "x", perm=[2, 0, 1])
    tensors = {n: v for n, v in tensors_of("GRU", 1).items() if n != "B"}
    model = model_of([turned, made], tensors, {"X": [B, I, T]}, ["Y"])
    with pytest.raises(ArgumentError, match=r"the model's input as it is.*name='one'"):
        penstock.from_onnx(model)
    assert type(penstock.from_onnx(model, "one")) is penstock.Recurrent


@pytest.mark.parametrize("last", ["Mul", "Add"])
def test_what_is_made_of_the_output_is_named(last):
    changed = [node("Squeeze", ["y1", "axes"], "s"), node(last, ["s", "two"], "y")]
    with pytest.raises(
        ArgumentError, match=rf"output 'y'.*is computed by {last} '.*'layer1', or several"
    ):
        penstock.from_onnx(stack_of(SQUEEZED, last=changed))


def test_a_sum_with_the_input_is_no_stack():
    around = [node("Squeeze", ["y0", "axes"], "s"), node("Add", ["s", "X"], "x1")]
    with pytest.raises(ArgumentError, match=r"does not read the output of GRU 'layer0'.*Add"):
        penstock.from_onnx(stack_of(around))


def test_the_last_step_alone_is_taken_of_the_output():
    step = [node("Squeeze", ["y1", "axes"], "s"), node("Gather", ["s", "minus"], "y", axis=0)]
    model = stack_of(SQUEEZED, last=step)
    model.graph.initializer.append(numpy_helper.from_array(np.array(-1), "minus"))
    x = drawn(T, B, I)
    (expected,) = in_onnxruntime(model, {"X": x})
    np.testing.assert_allclose(run(penstock.from_onnx(model), x)[0][-1], expected, **TOLERANCE)


def test_a_state_handed_from_one_node_to_the_next_is_said_to_be_missing():
    first, tensors = layer("GRU", 0, "X", I)
    second, more = layer("GRU", 1, "x1", H)
    second.input.extend(["", "h0"])
    axes = {"axes": np.array([1])}
    nodes = [first, *SQUEEZED, second]
    model = model_of(nodes, tensors | more | axes, {"X": [T, 1, I]}, ["y1"])
    with pytest.warns(UserWarning, match="'layer1' starts from 'h0', computed by GRU 'layer0'"):
        module = penstock.from_onnx(model)
    x = drawn(T, 1, I)
    (expected,) = in_onnxruntime(model, {"X": x})
    with torch.no_grad(), penstock.backend("eager"):
        _, h = module(torch.from_numpy(x))
        output, _ = module(torch.from_numpy(x), torch.stack([torch.zeros(1, H), h[0]]))
    np.testing.assert_allclose(output[:, None].numpy(), expected, **TOLERANCE)


def test_a_state_that_the_graph_computes_is_said_to_be_missing():
    made = helper.make_node("GRU", ["X", "W", "R", "B", "", "h"], ["Y"], "one", hidden_size=H)
    computed = node("Tanh", ["h0"], "h")
    model = model_of(
        [computed, made], tensors_of("GRU", 1), {"X": [T, B, I], "h0": [1, B, H]}, ["Y"]
    )
    with pytest.raises(ArgumentError, match="also has Tanh"):
        penstock.from_onnx(model)
    with pytest.warns(UserWarning, match="'one' starts from 'h', computed by Tanh.*state="):
        penstock.from_onnx(model, "one")


def test_constant_lengths_are_said_to_be_missing():
    names = ("X", "W", "R", "B", "n")
    with pytest.warns(UserWarning, match=r"sequence_lens \[6, 2, 4\]; give them as lengths="):
        penstock.from_onnx(single(names=names, extra={"n": np.array([T, 2, 4], np.int32)}))
    penstock.from_onnx(single(names=names, extra={"n": np.full(B, T, np.int32)}))  # all steps


def test_something_else_is_no_model():
    for thing in (3, None, nn.LSTM(3, 4)):
        with pytest.raises(ArgumentError, match="is no ONNX model; give a path"):
            penstock.from_onnx(thing)
    alone = single().graph.node[0]
    with pytest.raises(ArgumentError, match="weights="):
        penstock.from_onnx(alone)


# ---------------------------------------------------------------- files


DAMAGED = {
    "W .* and R": lambda m: m.graph.initializer[0].dims.__setitem__(1, 2),
    "cannot be read": lambda m: setattr(m.graph.initializer[0], "raw_data", b"abc"),
    "'W' cannot be read": lambda m: setattr(m.graph.initializer[0], "data_type", 99),
    "not of numbers": lambda m: m.graph.initializer[0].CopyFrom(
        helper.make_tensor("W", TensorProto.STRING, [1, 1, 1], [b"a"])
    ),
    "direction='up'": lambda m: m.graph.node[0].attribute.append(
        helper.make_attribute("direction", "up")
    ),
    "has 1 activations": lambda m: m.graph.node[0].attribute.append(
        helper.make_attribute("activations", ["Tanh"])
    ),
    "has B": lambda m: m.graph.initializer[2].CopyFrom(
        numpy_helper.from_array(drawn(1, 7), "B")
    ),
    "several types": lambda m: m.graph.initializer[2].CopyFrom(
        numpy_helper.from_array(drawn(1, 8 * H).astype(np.float64), "B")
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", DAMAGED)
def test_a_damaged_model_is_one_error(message, tmp_path):
    model = single()
    DAMAGED[message](model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    if message.startswith("W"):
        model.graph.initializer[0].raw_data = bytes(4 * 2 * I)
        path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=message) as raised:
        penstock.from_onnx(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_no_model_is_one_error(tmp_path):
    path = tmp_path / "m.onnx"
    for content in (b"", b"text", single().SerializeToString()[:-20], b"\x08\x01"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"m\.onnx.*no ONNX model"):
            penstock.from_onnx(path)
    with pytest.raises(DataError, match="does not exist"):
        penstock.from_onnx(tmp_path / "missing.onnx")


def external(location, length=None):
    model = single()
    held = model.graph.initializer[0]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
        held.external_data.add(key=key, value=value)
    return model


def test_weights_outside_of_the_folder_are_not_read(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(10**4))
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "short").write_bytes(bytes(10))
    expected = {
        "../secret": "outside", str(tmp_path / "secret"): "outside", "link": "outside",
        "short": "ends before",
    }  # fmt: skip
    for location, message in expected.items():
        onnx_file = inside / "m.onnx"
        onnx_file.write_bytes(external(location).SerializeToString())
        with pytest.raises(ModelFileError, match=message):
            penstock.from_onnx(onnx_file)
    onnx_file.write_bytes(external("gone").SerializeToString())
    with pytest.raises(DataError, match="does not exist"):
        penstock.from_onnx(onnx_file)
    with pytest.raises(ModelFileError, match="give the model's path"):
        penstock.from_onnx(external("short"))


def test_tensors_that_claim_the_same_bytes_are_counted_each(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", str(2**-14))  # 64 KiB, or 16 times the file
    units, nodes, held = 100, [], []
    (tmp_path / "data").write_bytes(bytes(4 * units * units))
    for k in range(20):
        read = "X" if k == 0 else f"x{k}"
        made = helper.make_node("RNN", [read, f"W{k}", f"R{k}"], [f"y{k}"], hidden_size=units)
        nodes += [made, node("Squeeze", [f"y{k}", "axes"], f"x{k + 1}")]
        for name in (f"W{k}", f"R{k}"):
            tensor = external("data").graph.initializer[0]
            tensor.name, tensor.dims[:] = name, [1, units, units]
            held.append(tensor)
    axes = {"axes": np.array([1])}
    for count, fits in ((7, True), (20, False)):
        x = {"X": [1, 1, units]}
        model = model_of(nodes[: 2 * count], axes, x, [f"x{count}"])
        model.graph.initializer.extend(held[: 2 * count])
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        refused = pytest.raises(DataError, match="the limit is")
        with contextlib.nullcontext() if fits else refused:
            assert penstock.from_onnx(path).num_layers == count


def test_a_small_file_cannot_ask_for_much():
    huge = np.array([2**20, 2**20])
    grows = [node("Expand", ["one_", "huge"], "w")]
    doubles = [node("Concat", [f"d{k}"] * 2, f"d{k + 1}", axis=0) for k in range(40)]
    made = helper.make_node("GRU", ["X", "w", "R"], ["Y"], "one", hidden_size=H)
    for nodes in (grows, [*doubles, node("Identity", ["d40"], "w")]):
        constants = {"huge": huge, "one_": drawn(1, 1), "d0": drawn(2**10, 1), "R": drawn(1, 3, 1)}
        model = model_of([*nodes, made], constants, {"X": [T, B, I]}, ["Y"])
        with pytest.raises(ModelFileError, match="computes too much at"):
            penstock.from_onnx(model)


def test_bytes_turned_at_random_are_errors_of_ours_or_nothing(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "m.onnx"
    content = stack_of(SIDE_BY_SIDE, 2, width=2 * H).SerializeToString()
    for _ in range(100):
        turned = bytearray(content)
        for at in random.integers(0, len(content), 5):
            turned[at] = random.integers(256)
        path.write_bytes(turned)
        with contextlib.suppress(ModelFileError, DataError, ArgumentError):
            penstock.from_onnx(path)


def test_without_the_library_it_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ArgumentError, match=r"takes the library onnx: pip install 'penstock\[onnx"):
        penstock.from_onnx("m.onnx")
