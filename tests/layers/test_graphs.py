"""Layers where torch records, transforms or replaces what they do: the truth, or an error."""

import io
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import penstock
from penstock.errors import ArgumentError
from penstock.layers.running import operator

T, B, I, H = 5, 2, 3, 4
CELLS = ["rnn", "lstm", "gru", "projected_lstm", "peephole_lstm", "slstm", "scrn", "lru", "mgu"]
OPTIONS = {"projected_lstm": {"proj_size": 3}, "scrn": {"context_size": 3}}
DROPINS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {}),
           ("LSTM", {"proj_size": 3})]  # fmt: skip

every_cell = pytest.mark.parametrize("cell", CELLS)
every_dropin = pytest.mark.parametrize(("name", "options"), DROPINS)
tracing_warns = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning",
    "ignore:Exporting a model to ONNX with a batch_size other than 1",
)  # fmt: skip
deprecated = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor"
)
projection_warns = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")


def make(cell, dtype=torch.float32, **keywords):
    torch.manual_seed(0)
    return penstock.Recurrent(cell, I, H, dtype=dtype, **OPTIONS.get(cell, {}), **keywords)


def draw(*shape, dtype=torch.float32, seed=1):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def flat(value):
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in flat(v)]


def assert_same(ours, theirs, tolerance=1e-5):
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


class Model(nn.Module):
    """A layer between others."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(layer.output_size, 2)

    def forward(self, x):
        """Return [T, B, 2]."""
        output, _ = self.layer(x)
        return self.head(output)


# ---------------------------------------------------------------- torch.jit and ONNX


@tracing_warns
@projection_warns
@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_jit_trace(cell, bidirectional):
    layer = make(cell, num_layers=2, bidirectional=bidirectional)
    traced = torch.jit.trace(layer, (draw(T, B, I),))
    for seed in (2, 3):
        x = draw(T, B + 1, I, seed=seed)
        assert_same(traced(x), layer(x))


@tracing_warns
@projection_warns
@every_dropin
def test_a_traced_dropin_takes_any_length(name, options):
    layer = getattr(penstock, name)(I, H, 2, bidirectional=True, **options)
    traced = torch.jit.trace(layer, (draw(T, B, I),))
    assert_same(traced(draw(T + 4, B, I)), layer(draw(T + 4, B, I)))


@tracing_warns
def test_a_trace_of_another_cell_refuses_another_length():
    traced = torch.jit.trace(make("peephole_lstm"), (draw(T, B, I),))
    with pytest.raises(RuntimeError, match="Expected 5 elements in a list but found 7"):
        traced(draw(7, B, I))


@tracing_warns
def test_a_trace_of_a_modified_cell_refuses_another_length_and_takes_any_batch():
    layer = make("gru", zoneout=0.1).eval()
    traced = torch.jit.trace(layer, (draw(T, B, I),))
    assert_same(traced(draw(T, 1, I)), layer(draw(T, 1, I)))
    with pytest.raises(RuntimeError, match="Expected 5 elements in a list but found 7"):
        traced(draw(7, B, I))


@tracing_warns
def test_a_trace_with_lengths_and_resets():
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2, 0] = True

    class Masked(Model):
        def forward(self, x):
            return self.layer(x, lengths=torch.tensor([T, 3]), reset=reset)

    run = Masked(make("gru"))
    traced = torch.jit.trace(run, (draw(T, B, I),))
    assert_same(traced(draw(T, B, I, seed=4)), run(draw(T, B, I, seed=4)))


@tracing_warns
@projection_warns
@pytest.mark.parametrize(("name", "options"), DROPINS[:4])
def test_legacy_export_to_onnx(name, options):
    onnxruntime = pytest.importorskip("onnxruntime")
    layer = getattr(penstock, name)(I, H, 2, bidirectional=True, **options).eval()
    file = io.BytesIO()
    torch.onnx.export(
        layer, (draw(T, B, I),), file, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "T"}}
    )
    session = onnxruntime.InferenceSession(file.getvalue())
    x = draw(T + 3, B, I, seed=5)
    found = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert_same([torch.from_numpy(f) for f in found], layer(x))


@tracing_warns
def test_legacy_export_of_another_cell():
    onnxruntime = pytest.importorskip("onnxruntime")
    layer, file, x = Model(make("peephole_lstm")).eval(), io.BytesIO(), draw(T, B, I, seed=5)
    torch.onnx.export(layer, (draw(T, B, I),), file, dynamo=False, input_names=["x"])
    found = onnxruntime.InferenceSession(file.getvalue()).run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert_same([torch.from_numpy(f) for f in found], layer(x))


@tracing_warns
@projection_warns
@every_dropin
def test_jit_script_reads_torchs_layer_in_the_place_of_ours(name, options):
    layer = getattr(penstock, name)(I, H, 2, **options)
    model, x = Model(layer), draw(T, B, I)
    expected = model(x)
    assert_same(torch.jit.script(model)(x), expected)
    assert isinstance(model.layer, getattr(nn, name))  # torch.jit.script changes the model itself
    assert model.layer.weight_hh_l0 is layer.weight_hh_l0


@tracing_warns
def test_jit_script_of_another_cell_is_an_error():
    with pytest.raises(ArgumentError, match=r"torch.jit.script cannot read .* torch.export.export"):
        torch.jit.script(Model(make("mgu")))

    class Own(penstock.GRU):
        """A subclass, which may do anything."""

    with pytest.raises(ArgumentError, match=r"torch.jit.script cannot read Own"):
        torch.jit.script(Own(I, H))


# ---------------------------------------------------------------- torch.fx


@every_cell
def test_symbolic_trace_keeps_a_layer_whole(cell):
    model, x = Model(make(cell)), draw(T, B, I)
    graph = torch.fx.symbolic_trace(model)
    assert [n.target for n in graph.graph.nodes if n.op == "call_module"] == ["layer", "head"]
    assert torch.equal(graph(x), model(x))


@pytest.mark.parametrize("layer", [penstock.LSTM(I, H), make("mgu")], ids=["LSTM", "mgu"])
def test_symbolic_trace_of_a_layer_alone_is_an_error(layer):
    with pytest.raises(ArgumentError, match="trace a module that holds it"):
        torch.fx.symbolic_trace(layer)


@every_cell
def test_make_fx_records_the_equations(cell):
    layer, x = make(cell), draw(T, B, I)
    for mode in ("real", "fake", "symbolic"):
        graph = make_fx(lambda x: layer(x)[0], tracing_mode=mode, _allow_non_fake_inputs=True)(x)
        assert_same(graph(draw(T, B, I, seed=6)), layer(draw(T, B, I, seed=6))[0])


@every_cell
def test_fake_tensors(cell):
    """Also where the first layer of such a cell and such sizes is made of them."""
    with FakeTensorMode():
        penstock.Recurrent(cell, 11, 13, **OPTIONS.get(cell, {}))
        output, _ = make(cell)(torch.randn(T, B, I))
    assert output.shape == (T, B, make(cell).output_size)
    weights = make(cell)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert weights(torch.randn(T, B, I))[0].shape == output.shape


def test_a_flop_counter_sees_the_products():
    counter = FlopCounterMode(display=False)
    with counter:
        make("lstm")(draw(T, B, I))
    assert counter.get_total_flops() == 2 * T * B * 4 * H * (I + H)


@every_cell
def test_meta_tensors(cell):
    layer = make(cell, num_layers=2, bidirectional=True, device="meta")
    output, _ = layer(torch.empty(T, B, I, device="meta"))
    assert output.device.type == "meta"
    assert output.shape == make(cell, num_layers=2, bidirectional=True)(draw(T, B, I))[0].shape


def test_meta_tensors_while_autocast_is_on():
    """Which has no meaning for them, and is not asked."""
    layer = penstock.GRU(I, H, device="meta")
    with torch.autocast("cpu"):
        output, state = layer(torch.ones(T, B, I, device="meta"))
    assert (output.shape, output.dtype) == ((T, B, H), torch.float32)
    assert state.is_meta


# ---------------------------------------------------------------- many gradients at once


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_batched_gradients(cell, bidirectional):
    layer = make(cell, torch.float64, num_layers=2, bidirectional=bidirectional)
    x = draw(T, B, I, dtype=torch.float64).requires_grad_()
    output, _ = layer(x)
    directions = draw(3, *output.shape, dtype=torch.float64)
    wanted = [x, *layer.parameters()]
    batched = torch.autograd.grad(
        output, wanted, directions, is_grads_batched=True, retain_graph=True, allow_unused=True
    )
    for k, one in enumerate(directions):
        single = torch.autograd.grad(output, wanted, one, retain_graph=True, allow_unused=True)
        for many, alone in zip(batched, single, strict=True):
            assert (many is None) == (alone is None)
            if alone is not None:
                torch.testing.assert_close(many[k], alone, atol=1e-12, rtol=1e-12)


@every_cell
def test_vectorised_jacobians(cell):
    layer, x = make(cell, torch.float64), draw(3, 1, I, dtype=torch.float64)

    def run(x):
        return layer(x)[0]

    jacobian = torch.autograd.functional.jacobian
    expected = jacobian(run, x)
    assert_same(jacobian(run, x, vectorize=True), expected, 1e-12)
    assert_same(jacobian(run, x, vectorize=True, strategy="forward-mode"), expected, 1e-12)
    assert torch.autograd.gradcheck(run, (x.requires_grad_(),), check_batched_grad=True)


@every_cell
def test_a_hessian_of_batched_gradients(cell):
    layer, x = make(cell, torch.float64), draw(2, 1, I, dtype=torch.float64)

    def loss(x):
        return layer(x)[0].square().sum()

    hessian = torch.autograd.functional.hessian
    assert_same(hessian(loss, x, vectorize=True), hessian(loss, x), 1e-10)


@pytest.mark.parametrize("wrap", [torch.vmap, lambda run: torch.vmap(run, in_dims=1, out_dims=1)])
def test_vmap_inside_compile(wrap):
    layer, x = make("peephole_lstm"), draw(3, 3, B, I)
    run = wrap(lambda x: layer(x)[0])
    compiled, found = torch.compile(run, backend="aot_eager"), []
    for each in (compiled, run):
        leaf = x.clone().requires_grad_()
        output = each(leaf)
        found.append([output, *torch.autograd.grad(output.sin().sum(), leaf)])
    assert_same(*found)


# ---------------------------------------------------------------- autocast and low precision

LOW = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("low", LOW, ids=str)
@every_cell
def test_autocast_takes_and_gives_back_states(cell, low):
    layer, x = make(cell, num_layers=2), draw(T, B, I)
    expected, state = layer(x)
    again, _ = layer(x, state)
    with torch.autocast("cpu", low):
        output, own = layer(x)
        assert {t.dtype for t in flat((output, own))} == {low}
        further = [layer(x, own)[0], layer(x, state)[0], layer(x.to(low), own)[0]]
    torch.testing.assert_close(output.float(), expected, atol=0.02, rtol=0.02)
    for each in further:
        assert each.dtype == low
        torch.testing.assert_close(each.float(), again, atol=0.02, rtol=0.02)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # of Intel GPUs; set with all flags
@projection_warns
@every_dropin
def test_autocast_as_torch(name, options):
    """States of both kinds are taken, and gradients are of the parameters' own type.

    Results are of the autocast type, as torch's are on CUDA; on a CPU those of its GRU and of its
    projected LSTM are of either type, as the state happens to be. Where the CPU has no bfloat16,
    oneDNN refuses torch's LSTM ("could not create a primitive descriptor"): torch runs without it.
    """
    bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    theirs = getattr(nn, name)(I, H, 2, **options)
    ours = getattr(penstock, name)(I, H, 2, **options)
    ours.load_state_dict(theirs.state_dict())
    x, state = draw(T, B, I), theirs(draw(T, B, I))[1]
    state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    for module in (theirs, ours):
        onednn = torch.backends.mkldnn.flags(enabled=bf16)
        with torch.autocast("cpu", torch.bfloat16), onednn:
            output, final = module(x, state)
            module(x, final)
            output.float().sum().backward()
        module.found = output, final
    for a, b in zip(flat(ours.found), flat(theirs.found), strict=True):
        assert a.dtype == torch.bfloat16
        assert b.dtype == torch.bfloat16 or name == "GRU" or options or not bf16
        torch.testing.assert_close(a.float(), b.float(), atol=0.02, rtol=0.02)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.grad.dtype == torch.float32
        torch.testing.assert_close(p.grad, q.grad, atol=0.1, rtol=0.05)


def test_autocast_runs_the_kernel_in_the_weights_type():
    """Nearer than half precision: rounded once, at the end."""
    layer, x = make("mgu"), draw(T, B, I)
    expected = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x)[0], expected.bfloat16())


def test_autocast_leaves_float64_alone():
    layer, x = make("gru", torch.float64), draw(T, B, I, dtype=torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x)[0], layer(x)[0])
        assert layer(x)[0].dtype == torch.float64
        with pytest.raises(ArgumentError, match=r"the input is torch.float32"):
            layer(x.float())
        with pytest.raises(ArgumentError, match=r"the input is torch.float64"):
            make("gru")(x)
        with pytest.raises(ArgumentError, match=r"the input is torch.int64"):
            make("gru")(x.long())
        with pytest.raises(ArgumentError, match=r"state is of torch.int64"):
            make("gru")(x.float(), torch.zeros(1, B, H, dtype=torch.int64))


def test_autocast_inside_compile():
    layer, x = make("peephole_lstm"), draw(T, B, I)
    run = torch.compile(lambda x: layer(x)[0], backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(run(x), layer(x)[0])


@projection_warns
@pytest.mark.parametrize("low", LOW, ids=str)
@every_dropin
def test_low_precision_as_torch(name, options, low):
    theirs = getattr(nn, name)(I, H, 2, dtype=low, **options)
    ours = getattr(penstock, name)(I, H, 2, dtype=low, **options)
    ours.load_state_dict(theirs.state_dict())
    x, found = draw(T, B, I).to(low), []
    for module in (theirs, ours):
        output, state = module(x)
        found.append([output, *flat(state)])
        found[-1] += torch.autograd.grad(output.float().sum(), list(module.parameters()))
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype == low
        torch.testing.assert_close(a, b, atol=0.05, rtol=0.05)


# ---------------------------------------------------------------- quantisation


@deprecated
@pytest.mark.parametrize("layer", [penstock.LSTM(I, H), make("mgu")], ids=["LSTM", "mgu"])
def test_quantisation_says_that_it_passes_by(layer):
    with pytest.warns(UserWarning, match=r"leaves penstock.* as it is; penstock.to_torch"):
        torch.ao.quantization.quantize_dynamic(Model(layer), {nn.Linear, nn.LSTM})


@deprecated
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_quantisation_of_torchs_layer_in_the_place_of_ours(name):
    model, x = Model(getattr(penstock, name)(I, H)), draw(T, B, I)
    expected = model(x)
    torchs = penstock.to_torch(model)
    quantised = torch.ao.quantization.quantize_dynamic(torchs, {nn.LSTM, nn.GRU})
    assert "quantized" in type(quantised.layer).__module__
    torch.testing.assert_close(quantised(x), expected, atol=0.05, rtol=0.1)


# ---------------------------------------------------------------- programs in other processes

ORDERS = ["import penstock, torch", "import torch, penstock", "import penstock.cells, torch"]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """An exported program, and the file of an input with its output."""
    folder = tmp_path_factory.mktemp("program")
    layer, x = make("depth_gated_lstm", num_layers=2), draw(T, B, I)
    torch.export.save(torch.export.export(layer, (x,)), folder / "layer.pt2")
    torch.save((x, layer(x)[0].detach()), folder / "data.pt")
    return folder


def run_python(*lines):
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("imports", ORDERS)
def test_load_an_exported_program_after_import_penstock_alone(program, imports):
    done = run_python(
        imports,
        f"x, y = torch.load(r'{program}/data.pt')",
        f"layer = torch.export.load(r'{program}/layer.pt2').module()",
        "assert torch.equal(layer(x)[0], y)",
    )
    assert not done.returncode, done.stderr


def test_import_penstock_does_not_import_torch():
    done = run_python(
        "import sys, penstock",
        "assert 'torch' not in sys.modules",
        "import torch",
        "assert 'penstock.layers.running.operator' in sys.modules",
        "assert type(torch.__spec__.loader).__name__ == 'SourceFileLoader'",
        "ours = [f.name for f in sys.meta_path if 'penstock' in type(f).__module__]",
        "assert ours == ['onnxscript.function_libs.torch_lib.registration']",
        "assert 'penstock.compiler' not in sys.modules  # that waits for a layer",
    )
    assert not done.returncode, done.stderr


def test_the_operator_has_no_list_that_can_be_empty():
    """AOTInductor turns an empty list into None (its own test compiles, which is slow)."""
    for one in (operator.sweep, operator.sweep_backward):
        lists = [a.name for a in one._opoverload._schema.arguments if "List" in str(a.type)]
        assert set(lists) <= {"tensors", "results", "gradients"}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_aotinductor_package_runs_in_another_process(program):
    layer, x = make("lstm").eval(), draw(T, B, I)
    with torch.no_grad():
        exported = torch.export.export(layer, (x,))
        torch.save((x, layer(x)[0]), program / "packaged.pt")
    path = str(program / "packaged.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._inductor.aoti_compile_and_package(exported, package_path=path)
    done = run_python(
        "import penstock, torch",
        f"x, y = torch.load(r'{program}/packaged.pt')",
        f"layer = torch._inductor.aoti_load_package(r'{path}')",
        "assert torch.equal(layer(x)[0], y)",
    )
    assert not done.returncode, done.stderr


def test_operators_are_declared_in_torchs_own_words():
    """torch 2.6 cannot read them from the annotations, and penstock could not be imported."""
    done = run_python(
        "import torch",
        "def refuse(*_, **__): raise ValueError",
        "torch.library.infer_schema = refuse",
        "import penstock",
        "torch.ops.penstock.sweep.default, torch.ops.penstock.sweep_backward.default",
    )
    assert not done.returncode, done.stderr
