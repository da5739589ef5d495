"""ONNX files of layers: onnxruntime computes what the layer computes, for any T and B."""

import sys

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
import torch

import penstock
from penstock.cells import cells, is_shipped
from penstock.errors import ArgumentError, ExportError
from penstock.exporters import formats
from penstock.exporters.onnx import file, steps

I, H = 3, 4
SHIPPED = [n for n, c in cells().items() if is_shipped(c)]  # other tests define cells too
SHAPES = [(1, 1), (6, 3), (9, 2)]  # T, B
OPERATORS = {  # of the cells that have one, and the attributes that tell them apart
    "rnn": ("RNN", {"activations": [b"Tanh"]}),
    "lstm": ("LSTM", {}),
    "cifg": ("LSTM", {"input_forget": 1}),
    "peephole_lstm": ("LSTM", {}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "gru_reset_before": ("GRU", {"linear_before_reset": 0}),
    "gru_reset_before_keep": ("GRU", {"linear_before_reset": 0}),
    "elman": ("RNN", {"activations": [b"Tanh"]}),
}
SCANNED = ["mgu", "slstm", "scrn", "projected_lstm", "rhn", "min_gru", "lru"]
BOTH_WAYS = {"num_layers": 2, "bidirectional": True}
VARIANTS = {"one layer": {}, "two layers both ways": BOTH_WAYS, "layer norm": {"layer_norm": True}}

by_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(autouse=True)
def _eager():
    """Let the layer compute its equations in torch, so that no kernel is compiled."""
    with penstock.backend("eager"), torch.no_grad():
        yield


def make(cell, **options):
    torch.manual_seed(0)
    layer = penstock.Recurrent(cell, I, H, **options).eval()
    for parameter in layer.parameters():
        torch.nn.init.uniform_(parameter, -0.7, 0.7)
    return layer


def drawn(*shape, seed=1, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def written(layer, folder, **options):
    """Return a layer's model, and a function that runs it on named inputs."""
    path = penstock.export(layer, folder / "m.onnx", **options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return onnx.load(path), lambda **given: session.run(
        None, {name: tensor.numpy() for name, tensor in given.items()}
    )


def kinds(model):
    """Return the types of the nodes that recur."""
    return [n.op_type for n in model.graph.node if n.op_type in ("RNN", "LSTM", "GRU", "Scan")]


def shape_of(info):
    return [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]


def inferred(model):
    """Return the shape of the output as strict inference finds it, without what the file says."""
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True)
    return shape_of(found.graph.output[0])


def assert_same(found, expected, tolerance=2e-5):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=tolerance)


def flat(results):
    output, states = results
    return [output, *(states if isinstance(states, tuple) else (states,))]


def states_of(layer, B, seed=2):
    rows = layer.num_layers * (1 + layer.bidirectional)
    return tuple(
        drawn(rows, B, size, seed=seed + k).abs() / 2 for k, size in enumerate(layer._state_sizes)
    )


# ---------------------------------------------------------------- every cell


@by_variant
@pytest.mark.parametrize("cell", SHIPPED)
def test_every_cell(cell, variant, tmp_path):
    layer = make(cell, **VARIANTS[variant])
    model, run = written(layer, tmp_path)
    for T, B in SHAPES:
        x = drawn(T, B, I, seed=T)
        assert_same(run(x=x), [layer(x)[0]])
    assert shape_of(model.graph.output[0]) == ["T", "B", layer.output_size]
    assert inferred(model) == ["T", "B", layer.output_size]
    directions = [part for layer in layer._parts for part in layer]
    is_operator = cell in OPERATORS and variant != "layer norm"
    kind, attributes = OPERATORS[cell] if is_operator else ("Scan", {})
    assert kinds(model) == [kind] * (layer.num_layers if is_operator else len(directions))
    found = {a.name: onnx.helper.get_attribute_value(a) for a in _recurring(model).attribute}
    for name, value in attributes.items():
        times = 1 + layer.bidirectional if isinstance(value, list) else 1
        assert found[name] == value * times or found[name] == value


def _recurring(model):
    return next(n for n in model.graph.node if n.op_type in ("RNN", "LSTM", "GRU", "Scan"))


@pytest.mark.parametrize("cell", SCANNED)
def test_a_scan_in_the_definition_of_onnx(cell, tmp_path):
    """onnx's own evaluator, which is no runtime but says what the operators mean."""
    layer = make(cell, num_layers=2)  # it knows no Scan backwards
    model, _ = written(layer, tmp_path, lengths=True, states=True)
    x, states, lengths = drawn(6, 3, I), states_of(layer, 3), torch.tensor([6, 0, 3])
    given = dict(zip(layer.cell.states, states, strict=True)) | {"x": x, "lengths": lengths.int()}
    evaluate = onnx.reference.ReferenceEvaluator(model)
    found = evaluate.run(None, {name: tensor.numpy() for name, tensor in given.items()})
    assert_same(found, flat(layer(x, states, lengths)))


@pytest.mark.parametrize("options", [{}, BOTH_WAYS], ids=["one", "both ways"])
@pytest.mark.parametrize("cell", [*OPERATORS, *SCANNED])
def test_lengths_and_states(cell, options, tmp_path):
    layer = make(cell, batch_first=True, **options)
    _, run = written(layer, tmp_path, lengths=True, states=True)
    for T, B in [*SHAPES, (7, 4)]:
        lengths = torch.tensor([(3 * b + T) % (T + 1) for b in range(B)], dtype=torch.int32)
        lengths[-1] = (T, 0)[T == 6]  # a row of no steps ends as it began
        x, states = drawn(B, T, I, seed=T), states_of(layer, B)
        given = dict(zip(layer.cell.states, states, strict=True))
        expected = flat(layer(x, states, lengths))
        assert_same(run(x=x, lengths=lengths, **given), expected)
        padding = torch.arange(T)[None, :, None] >= lengths[:, None, None]
        unread = x.masked_fill(padding, torch.nan)
        assert_same(run(x=unread, lengths=lengths, **given), expected)


def test_names_and_shapes(tmp_path):
    layer = make("lstm", batch_first=True, **BOTH_WAYS)
    model, _ = written(layer, tmp_path, lengths=True, states=True)
    graph = model.graph
    assert {i.name: shape_of(i) for i in graph.input} == {
        "x": ["B", "T", I], "lengths": ["B"], "h": [4, "B", H], "c": [4, "B", H]
    }  # fmt: skip
    assert {o.name: shape_of(o) for o in graph.output} == {
        "output": ["B", "T", 2 * H], "h_n": [4, "B", H], "c_n": [4, "B", H]
    }  # fmt: skip
    assert model.opset_import[0].version >= 17
    assert model.ir_version == 8
    assert "layout" not in {a.name for n in graph.node for a in n.attribute}


@pytest.mark.parametrize("cell", [*OPERATORS, *SCANNED])
def test_steps_one_by_one_are_the_sequence(cell, tmp_path):
    layer = make(cell, num_layers=2)
    model, run = written(layer, tmp_path, streaming=True)
    assert "Scan" not in kinds(model)
    x, states = drawn(6, 3, I), states_of(layer, 3)
    output, *finals = flat(layer(x, states))
    for t in range(len(x)):
        given = dict(zip(layer.cell.states, map(torch.as_tensor, states), strict=True))
        found, *states = run(x=x[t], **given)
        assert_same([found], [output[t]])
    assert_same(states, finals)
    assert [o.name for o in model.graph.output][1:] == [f"{s}_n" for s in layer.cell.states]


# ---------------------------------------------------------------- options


OPTIONS = [
    {"bias": False},
    {"batch_first": True},
    {"zoneout": 0.3},
    {"clip_state": 0.1},
    {"clip_gates": 0.5},
    {"trainable_state": True, **BOTH_WAYS},
    {"merge": "sum", **BOTH_WAYS},
    {"merge": "mean", "connection": "highway", "projection_size": I, **BOTH_WAYS},
    {"merge": "product", "connection": "residual", "projection_size": I, **BOTH_WAYS},
    {"dtype": torch.float64, **BOTH_WAYS},
    {"recurrent_dropout": 0.5, "weight_drop": 0.5, "dropout": 0.5, "num_layers": 2},
]


@pytest.mark.parametrize("lengths", [False, True], ids=["all steps", "lengths"])
@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "mgu"])
@pytest.mark.parametrize("options", OPTIONS, ids="-".join)
def test_options(options, cell, lengths, tmp_path):
    layer = make(cell, **options)
    model, run = written(layer, tmp_path, lengths=lengths)
    dtype = options.get("dtype", torch.float32)
    shape = (4, 7, I) if layer.batch_first else (7, 4, I)
    given = {"x": drawn(*shape, dtype=dtype)}
    if lengths:
        given["lengths"] = torch.tensor([7, 0, 3, 1], dtype=torch.int32)
    tolerance = 2e-5 if dtype == torch.float32 else 1e-12
    expected = layer(given["x"], lengths=given.get("lengths"))[0]
    assert_same(run(**given), [expected], tolerance)
    scanned = {"zoneout", "clip_state", "dtype"} & {*options} or cell == "mgu"
    assert ("Scan" in kinds(model)) == bool(scanned)


@pytest.mark.parametrize("cell", [name for name in SHIPPED if cells()[name].below])
def test_states_below(cell, tmp_path):
    layer = make(cell, num_layers=3)
    _, run = written(layer, tmp_path, lengths=True)
    x, lengths = drawn(7, 3, I), torch.tensor([7, 2, 0], dtype=torch.int32)
    assert_same(run(x=x, lengths=lengths), [layer(x, lengths=lengths)[0]])


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dropins_are_what_torch_computes(name, tmp_path):
    torch.manual_seed(0)
    layer = getattr(penstock, name)(I, H, **BOTH_WAYS)
    theirs = getattr(torch.nn, name)(I, H, **BOTH_WAYS)
    theirs.load_state_dict(layer.state_dict())
    model, run = written(layer, tmp_path)
    assert kinds(model) == [name, name]
    assert_same(run(x=(x := drawn(8, 2, I))), [theirs(x)[0]])


def test_coupled_gates_are_in_the_weights_too(tmp_path):
    """OpenVINO 2026.4 passes over input_forget; then f = 1 − i must come of its own weights."""
    layer = make("cifg")
    model, run = written(layer, tmp_path)
    expected = run(x=(x := drawn(6, 2, I)))
    attributes = model.graph.node[0].attribute
    kept = [a for a in attributes if a.name != "input_forget"]
    assert len(kept) == len(attributes) - 1
    del attributes[:]
    attributes.extend(kept)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], expected[0], atol=1e-6)


@pytest.mark.parametrize("cell", [name for name in OPERATORS if name != "elman"])
def test_a_limit_of_gates_is_that_of_the_operator(cell, tmp_path):
    model, run = written(layer := make(cell, clip_gates=0.25), tmp_path)
    assert kinds(model) == [OPERATORS[cell][0]]
    attributes = {a.name: a.f for a in _recurring(model).attribute}
    assert attributes["clip"] == 0.25
    x = 3 * drawn(7, 2, I)
    assert_same(run(x=x), [layer(x)[0]])
    assert (layer(x)[0] - make(cell)(x)[0]).abs().max() > 1e-2


def test_a_cell_is_known_by_its_equations(tmp_path):
    class LSTM(penstock.Cell):
        """Written by somebody else."""

        states = ("h", "c")
        i, f, g, o = penstock.Gate(), penstock.Gate(), penstock.Gate(), penstock.Gate()

        def step(self, x, h, c):
            i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
            g, o = torch.tanh(self.g(x, h)), torch.sigmoid(self.o(x, h))
            c = f * c + i * g
            return o * torch.tanh(c), c

    class Other(LSTM):
        """Another function, of the same parameters."""

        i, f, g, o = penstock.Gate(), penstock.Gate(), penstock.Gate(), penstock.Gate()

        def step(self, x, h, c):
            i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
            g, o = torch.tanh(self.g(x, h)), torch.sigmoid(self.o(x, h))
            c = f * c + i * g
            return o * torch.sin(c), c

    for cell, kind in ((LSTM, "LSTM"), (Other, "Scan")):
        model, run = written(layer := make(cell), tmp_path)
        assert kinds(model) == [kind]
        assert_same(run(x=(x := drawn(5, 2, I))), [layer(x)[0]])


def test_a_state_that_is_the_same_for_all_rows(tmp_path):
    class Even(penstock.Cell):
        """A cell with a state that reads nothing."""

        states = ("h", "p")
        a = penstock.Gate(h=False)

        def step(self, x, h, p):
            return torch.tanh(self.a(x)) * p + 0.5 * h, torch.full_like(p, 0.5)

    _, run = written(layer := make(Even), tmp_path, states=True)
    x, states = drawn(5, 2, I), states_of(layer, 2)
    assert_same(run(x=x, h=states[0], p=states[1]), flat(layer(x, states)))


# ---------------------------------------------------------------- what is no file


def refused(module, folder, match, kind=ExportError, **options):
    with pytest.raises(kind, match=match):
        penstock.export(module, folder / "m.onnx", **options)
    assert not [*folder.iterdir()]


def test_an_op_without_a_spelling_is_named(tmp_path, monkeypatch):
    fewer = {op: spelling for op, spelling in steps.SPELLINGS.items() if op != "exp"}
    monkeypatch.setattr(steps, "SPELLINGS", fewer)
    refused(make("slstm"), tmp_path, "no spelling in ONNX for the op 'exp'")


def test_a_step_at_a_time_goes_one_way(tmp_path):
    refused(make("gru", **BOTH_WAYS), tmp_path, "bidirectional=False", streaming=True)
    refused(make("gru"), tmp_path, "leave lengths out", ArgumentError, streaming=True, lengths=True)


def test_numbers_that_no_runtime_has(tmp_path):
    refused(make("gru").bfloat16(), tmp_path, r"torch.bfloat16.*layer.float\(\)")


def test_a_layer_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "LARGEST", 400)
    refused(make("gru"), tmp_path, "GiB")
    refused(make("mgu"), tmp_path, "GiB")


def test_a_name_taken_twice(tmp_path):
    class Taken(penstock.Cell):
        """A state called as another's end."""

        states = ("h", "h_n")
        a = penstock.Gate()

        def step(self, x, h, h_n):
            return torch.tanh(self.a(x, h)), h_n

    refused(make(Taken), tmp_path, "'h_n' would name two")


def test_onnx_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(make("gru"), tmp_path, r"pip install 'penstock\[onnx\]'")


def test_hooks_are_not_left_out(tmp_path):
    layer = make("gru")
    layer.register_forward_hook(lambda *_: None)
    refused(layer, tmp_path, "forward hooks")


def test_the_format_is_found_by_looking():
    assert formats()[".onnx"] == "penstock.exporters.onnx"
