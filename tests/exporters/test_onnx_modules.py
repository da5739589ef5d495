"""torch.onnx.export of modules that hold our layers, and ONNX files of a comparison's networks."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import penstock
from penstock.comparison.keeping.model import Model
from penstock.errors import ArgumentError, ExportError
from penstock.exporters.onnx import networks, translations
from penstock.models.carrying import FrameNetwork
from penstock.models.forecaster import Forecaster
from penstock.models.reader import SequenceNetwork
from penstock.models.symbols import SymbolNetwork
from penstock.record.structure import Structure

pytest.importorskip("onnxscript")
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)  # torch's own

I, H, B, T = 3, 4, 3, 5


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make(cell, **options):
    torch.manual_seed(0)
    return penstock.Recurrent(cell, I, H, **options).eval()


class Around(nn.Module):
    """A layer, called in some way, and a map."""

    def __init__(self, layer, call):
        super().__init__()
        self.layer, self.head, self.call = layer, nn.Linear(layer.output_size, 2), call

    def forward(self, *given):
        output, *states = self.call(self.layer, *given)
        return self.head(output.float()), *states


def run(model, given):
    names = [i.name for i in model.graph.input]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {n: g.numpy() for n, g in zip(names, given, strict=True)})


def flat(value):
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in flat(v)]


def assert_same(model, module, given):
    with torch.no_grad():
        expected = flat(module(*given))
    for ours, theirs in zip(run(model, given), expected, strict=True):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=2e-5)


def kinds(model):
    return {n.op_type for n in model.graph.node} & {"RNN", "LSTM", "GRU", "Scan"}


def masks(T, B):
    return drawn(T, B, I), torch.arange(B) % (T + 1), drawn(T, B, seed=3) > 0.5


def everything(layer, x, lengths):
    output, states, every = layer(x, lengths=lengths, all_states=True)
    return output, states, every


WAYS = {
    "operator": ("gru_reset_before", {}, lambda layer, x: layer(x), {"GRU"}),
    "scan": ("scrn", {"num_layers": 2, "layer_norm": True}, lambda layer, x: layer(x), {"Scan"}),
    "both ways": (
        "peephole_lstm", {"bidirectional": True}, lambda layer, x: layer(x)[:1], {"LSTM"}
    ),
    "float64": ("lstm", {"dtype": torch.float64}, lambda layer, x: layer(x.double())[:1], {"Scan"}),
    "every state, and lengths": (
        "lstm", {"bidirectional": True}, everything, {"LSTM", "Scan"}
    ),
    "resets": (
        "gru", {"bidirectional": True},
        lambda layer, x, lengths, reset: layer(x, lengths=lengths, reset=reset), {"Scan"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_in_a_module(way):
    cell, options, call, wanted = WAYS[way]
    module = Around(make(cell, **options), call).eval()
    count = call.__code__.co_argcount - 1
    free = ({0: "T", 1: "B"}, {0: "B"}, {0: "T", 1: "B"})
    model = torch.onnx.export(
        module, masks(T, B)[:count], dynamo=True, dynamic_shapes=(free[:count],), verbose=False
    ).model_proto
    onnx.checker.check_model(model, full_check=True)
    assert kinds(model) == wanted
    for shape in ((7, 4), (1, 2), (4, 1)):
        assert_same(model, module, masks(*shape)[:count])


def test_by_a_table_without_the_registration(monkeypatch):
    registration = pytest.importorskip("onnxscript.function_libs.torch_lib.registration")
    monkeypatch.delitem(registration.default_registry._registry, "penstock::sweep")
    module, x = make("mgu"), drawn(T, B, I)
    free = ({0: "T", 1: "B"},)
    with pytest.raises(Exception, match=r"No ONNX function found.*penstock.sweep"):
        torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=free, verbose=False)
    model = torch.onnx.export(
        module, (x,), dynamo=True, dynamic_shapes=free, verbose=False,
        custom_translation_table=translations(),
    ).model_proto  # fmt: skip
    assert_same(model, module, (drawn(8, 2, I),))


def test_a_layer_in_training_is_refused():
    module = make("gru", recurrent_dropout=0.5).train()
    with pytest.raises(Exception, match=r"call eval\(\) before exporting") as caught:
        torch.onnx.export(module, (drawn(T, B, I),), dynamo=True, verbose=False)
    causes = [caught.value]
    while causes[-1].__cause__:
        causes.append(causes[-1].__cause__)
    assert isinstance(causes[-1], ExportError)


# ---------------------------------------------------------------- networks of a comparison


NETWORKS = {
    "forecaster": (
        lambda: Forecaster("gru", Structure(H, context=5), 3),
        lambda T, B: (drawn(B, T),),
        [["B", "T"]],
    ),
    "forecaster with columns": (
        lambda: Forecaster("mgu", Structure(H, context=5), 3, past=2, known=1),
        lambda T, B: (drawn(B, T), drawn(B, T, 2), drawn(B, T + 3, 1)),
        [["B", "T"], ["B", "T", 2], ["B", "T + 3", 1]],
    ),
    "reader": (
        lambda: SequenceNetwork("lstm", Structure(H, 2, bidirectional=True), 2, [5], [0.0, 0.0]),
        lambda T, B: (
            drawn(B, T, 2), torch.arange(B * T).view(B, T, 1) % 5, 1 + torch.arange(B) % T
        ),
        [["B", "T", 2], ["B", "T", 1], ["B"]],
    ),
    "symbols": (
        lambda: SymbolNetwork("lstm", Structure(H), 0, (6,), [0.0] * 6, every_step=True),
        lambda T, B: (torch.arange(B * T).view(B, T) % 6, torch.zeros(B, dtype=torch.int64)),
        [["B", "T"], ["B"]],
    ),
    "frames": (
        lambda: FrameNetwork("mgu", Structure(H), 3, (), [0.0] * 3, every_step=True),
        lambda T, B: (drawn(B, T, 3),),
        [["B", "T", 3]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_a_comparison(name, tmp_path):
    make_network, inputs, shapes = NETWORKS[name]
    torch.manual_seed(0)
    network = make_network().train()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    kept = Model(network, {"name": "gru", "kind": "network", "task": "forecast"})
    assert kept.export(tmp_path / "m.onnx") == tmp_path / "m.onnx"
    assert network.training
    network.eval()
    model = onnx.load(tmp_path / "m.onnx")
    found = [
        [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in model.graph.input
    ]
    assert found == shapes
    assert [o.name for o in model.graph.output] == ["output"]
    for shape in ((9, 2), (4, 1), (20, 5)):
        assert_same(model, network, inputs(*shape))


def test_any_module_with_an_example(tmp_path):
    class Named(Around):
        """A module whose argument has a name."""

        def forward(self, sequence):
            return super().forward(sequence)

    module = Named(make("mgu", batch_first=True), lambda layer, x: layer(x)[:1]).eval()
    penstock.export(module, tmp_path / "m.onnx", example=drawn(B, T, I))
    assert_same(onnx.load(tmp_path / "m.onnx"), module, (drawn(2, 9, I),))


def test_what_needs_an_example_says_so(tmp_path):
    module = nn.Sequential(nn.Linear(I, 2))
    with pytest.raises(ArgumentError, match="give an example of its input"):
        penstock.export(module, tmp_path / "m.onnx")
    with pytest.raises(ArgumentError, match="example is of int"):
        penstock.export(module, tmp_path / "m.onnx", example=(3,))
    with pytest.raises(ArgumentError, match="states goes with a layer"):
        penstock.export(module, tmp_path / "m.onnx", example=drawn(2, I), states=True)
    with pytest.raises(ArgumentError, match="this is a int"):
        penstock.export(3, tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]


def test_an_axis_that_torch_has_fixed_is_an_error(tmp_path):
    class Fixed(FrameNetwork):
        """One that looks at the number of steps."""

        def read(self, frames, state):
            return super().read(frames[:, : int(frames.shape[1])], state)

    network = Fixed("mgu", Structure(H), 3, (), [0.0] * 3, every_step=True)
    with pytest.raises(ExportError, match="has fixed the axis T of frames to 7"):
        networks.write_network(network, tmp_path / "m.onnx", None)
