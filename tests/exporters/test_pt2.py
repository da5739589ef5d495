"""Programs of torch.export: written here, run in processes that know less."""

import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from torch import nn

import penstock
from penstock.cells import is_shipped
from penstock.errors import ArgumentError, ExportError
from penstock.exporters import describe, pt2

I, H = 3, 4
SHAPES = [(1, 1), (7, 2), (2, 5)]  # T, B: none that the exporter saw
# A cell of each kind: one product a step, a chain of them, peepholes, the layer below, an output
# map, no product at all, a state that is read through another gate.
KINDS = (
    "lstm", "gru_reset_before", "peephole_lstm", "depth_gated_lstm", "lru", "indrnn", "scrn"
)  # fmt: skip
CELLS = sorted(n for n, c in penstock.cells().items() if is_shipped(c))

# All that another process does: it loads programs, and keeps what they give.
RUN = """
import sys
if sys.argv[1] == "without":
    class Blocked:
        def find_spec(self, name, *_):
            if name.partition(".")[0] == "penstock":
                raise ImportError("there is no penstock here")
    sys.meta_path.insert(0, Blocked())
else:
    import penstock
import torch
packaged = sys.argv[2] == "package"
load = torch._inductor.aoti_load_package if packaged else lambda p: torch.export.load(p).module()
for path in sys.argv[3:]:
    program, inputs = load(path), torch.load(path + ".inputs")
    torch.save([program(*x) for x in inputs], path + ".outputs")
assert ("penstock" in sys.modules) == (sys.argv[1] == "with")
"""

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


class Every(nn.Module):
    """A module that holds a layer of each of several cells."""

    def __init__(self, cells, **options):
        super().__init__()
        layers = {name: penstock.Recurrent(name, I, H, **options) for name in cells}
        self.layers = nn.ModuleDict(layers)

    def forward(self, x):
        return {name: layer(x) for name, layer in self.layers.items()}


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def run_elsewhere(path, inputs, penstock_is_there, kind="program"):
    """Return what a file gives for each tuple of inputs, in a process of its own."""
    torch.save(inputs, f"{path}.inputs")
    word = "with" if penstock_is_there else "without"
    done = subprocess.run(
        [sys.executable, "-c", RUN, word, kind, str(path)],
        capture_output=True, text=True, timeout=600, check=False, cwd=path.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return torch.load(f"{path}.outputs")


def assert_equal(found, expected, atol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


# ---------------------------------------------------------------- all cells


def written_and_run(cells, folder, equations, **options):
    """Return a module of these cells, its inputs, and what its file gives elsewhere."""
    torch.manual_seed(0)
    module, inputs = Every(cells, **options).eval(), [(draw(T, B, I),) for T, B in SHAPES]
    path = penstock.export(module, folder / "m.pt2", torch.zeros(5, 3, I), equations=equations)
    return module, inputs, run_elsewhere(path, inputs, penstock_is_there=not equations)


def assert_cells(module, inputs, outputs):
    """Assert that each cell gives what its equations give; one test, as all are in one file."""
    wrong = {}
    with torch.no_grad(), penstock.backend("eager"):
        for (x,), found in zip(inputs, outputs, strict=True):
            expected = module(x)
            assert {*found} == {*expected}
            for name in expected:
                try:
                    assert_equal(found[name], expected[name])
                except AssertionError as error:
                    wrong[name, *x.shape[:2]] = str(error).partition("\n")[0]
    assert not wrong


def test_every_cell_after_import_penstock_alone(tmp_path):
    assert_cells(*written_and_run(CELLS, tmp_path, equations=False))


def test_cells_without_penstock(tmp_path):
    assert_cells(*written_and_run(KINDS, tmp_path, equations=True))


@pytest.mark.long
@pytest.mark.parametrize("equations", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True}, {"layer_norm": True}], ids=str
)
def test_every_cell_and_option(options, equations, tmp_path):
    assert_cells(*written_and_run(CELLS, tmp_path, equations, **options))


def test_the_equations_are_one_loop_and_no_operator_of_ours(tmp_path):
    """However long the example: a program written out step by step would hold for one length."""
    path = penstock.export(penstock.LSTM(I, H, 2, bidirectional=True), tmp_path / "m.pt2")
    again = penstock.export(
        penstock.LSTM(I, H, 2, bidirectional=True), tmp_path / "e.pt2", equations=True
    )
    ops = [
        [str(node.target) for node in torch.export.load(p).graph.nodes if node.op != "placeholder"]
        for p in (path, again)
    ]
    assert sum("penstock" in op for op in ops[0]) == 4
    assert not any("penstock" in op for op in ops[1])
    assert ops[1].count("scan") == 4


# ---------------------------------------------------------------- layers and their options

LAYERS = {
    "drop-in": lambda: penstock.LSTM(I, H, batch_first=True, proj_size=2),
    "directions": lambda: penstock.GRU(I, H, num_layers=2, bidirectional=True),
    "modifiers": lambda: penstock.Recurrent(
        "peephole_lstm", I, H, 2, layer_norm=True, zoneout=0.2, clip_gates=1.0,
        recurrent_dropout=0.3, dropout=0.5,
    ),
    "joined": lambda: penstock.Recurrent(
        "mgu", I, H, 2, bidirectional=True, merge="sum", connection="highway", projection_size=I
    ),
    "learned state": lambda: penstock.Recurrent("lstm", I, H, trainable_state=True),
    "chunks": lambda: penstock.Recurrent("gru", I, H, checkpoint=True),
    "doubles": lambda: penstock.Recurrent("gru", I, H, dtype=torch.float64),
    "relu": lambda: penstock.RNN(I, H, nonlinearity="relu", bias=False),
}  # fmt: skip


@pytest.mark.parametrize("equations", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_options_of_layers(name, equations, tmp_path):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -1, 1)
    path = penstock.export(layer, tmp_path / "m.pt2", equations=equations)
    assert layer.training
    assert all(one.requires_grad for one in layer.parameters())
    program, dtype = torch.export.load(path).module(), next(layer.parameters()).dtype
    layer.eval()
    for T, B in SHAPES:
        x = draw(T, B, I).to(dtype)
        found = program(x)
        assert not found[0].requires_grad  # a file is for inference
        with torch.no_grad(), penstock.backend("eager"):
            assert_equal(found, layer(x))


@pytest.mark.parametrize("equations", [False, True])
def test_lengths_and_states_are_inputs_where_the_example_has_them(equations, tmp_path):
    layer, lengths = penstock.Recurrent("lstm", I, H, bidirectional=True).eval(), torch.tensor
    example = {"x": draw(5, 3, I), "state": (draw(2, 3, H),) * 2, "lengths": lengths([5, 2, 3])}
    path = penstock.export(layer, tmp_path / "m.pt2", example, equations=equations)
    x, state = draw(6, 2, I), (draw(2, 2, H), draw(2, 2, H + 0))
    given = {"x": x, "state": state, "lengths": lengths([4, 6])}
    with torch.no_grad():
        assert_equal(torch.export.load(path).module()(**given), layer(**given))


@pytest.mark.parametrize("equations", [False, True])
def test_resets(equations, tmp_path):
    class Episodes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = penstock.Recurrent("gru", I, H)

        def forward(self, x, reset):
            return self.layer(x, reset=reset)[0]

    module = Episodes()
    example = draw(5, 3, I), draw(5, 3) > 0
    path = penstock.export(module, tmp_path / "m.pt2", example, equations=equations)
    x, reset = draw(8, 2, I), draw(8, 2) > 0
    with torch.no_grad():
        assert_equal(torch.export.load(path).module()(x, reset), module(x, reset))


def test_parametrizations_are_what_they_give_now(tmp_path):
    layer = penstock.GRU(I, H)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    path = penstock.export(layer, tmp_path / "m.pt2", equations=True)
    with torch.no_grad():
        assert_equal(torch.export.load(path).module()(draw(6, 2, I)), layer(draw(6, 2, I)))


def test_weights_that_no_kernel_takes_are_written_as_equations(tmp_path):
    layer = penstock.Recurrent("mgu", I, H, dtype=torch.bfloat16)
    path = penstock.export(layer, tmp_path / "m.pt2")
    x = draw(6, 2, I).bfloat16()
    with torch.no_grad():
        assert_equal(run_elsewhere(path, [(x,)], False), [layer(x)], atol=0.02)


OWN = """
import torch, penstock

class Own(penstock.Cell):
    f = penstock.Gate()

    def step(self, x, h):
        return torch.softmax(self.f(x, h), -1) + 0.5 * h
"""


def test_a_cell_of_ones_own_needs_neither_its_file_nor_penstock(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    layer = penstock.Recurrent(f"{tmp_path}/own.py:Own", I, H)
    path = penstock.export(layer, tmp_path / "m.pt2")
    with torch.no_grad():
        assert_equal(run_elsewhere(path, [(draw(6, 2, I),)], False), [layer(draw(6, 2, I))])


# ---------------------------------------------------------------- what is in a file


def test_a_file_says_its_inputs_and_outputs(tmp_path):
    path = tmp_path / "m.pt2"
    penstock.export(penstock.LSTM(I, H, 2), path)
    assert describe(path) == "input [T, B, 3] → output [T, B, 4], h [2, B, 4], c [2, B, 4]"
    penstock.export(penstock.Recurrent("gru", I, H, batch_first=True), path)
    assert describe(path) == "x [B, T, 3] → output [B, T, 4], h [1, B, 4]"


def test_a_file_holds_nothing_of_the_example(tmp_path):
    path = penstock.export(Every(["rnn"]), tmp_path / "m.pt2", torch.full((5, 3, I), 0.7071))
    with zipfile.ZipFile(path) as file:
        assert not any(
            torch.tensor([0.7071]).numpy().tobytes() in file.read(n) for n in file.namelist()
        )


def test_gradients_of_a_program_without_what_they_need_are_an_error(tmp_path):
    path = penstock.export(penstock.GRU(I, H), tmp_path / "m.pt2")
    x = draw(4, 2, I).requires_grad_()
    output = torch.export.load(path).module()(x)[0]
    with pytest.raises(RuntimeError, match=r"made under torch\.no_grad"):
        output.sum().backward()


# ---------------------------------------------------------------- packages


def test_a_package_without_a_compiler_says_what_can_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(pt2.cpp_builder, "cpp_compiler_search", refuse)
    with pytest.raises(ExportError, match=r"no C\+\+ compiler here .* Without package=True"):
        penstock.export(penstock.GRU(I, H), tmp_path / "m.pt2", package=True)
    assert not list(tmp_path.iterdir())


def refuse(_):
    raise RuntimeError("no compiler")


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("g++"), reason="AOTInductor needs a C++ compiler")
@pytest.mark.parametrize("equations", [False, True])
def test_packages(equations, tmp_path):
    torch.manual_seed(0)
    layer = penstock.Recurrent("peephole_lstm", I, H, layer_norm=True).eval()
    path = penstock.export(layer, tmp_path / "m.pt2", equations=equations, package=True)
    assert describe(path).startswith("x [T, B, 3] → output [T, B, 4]")
    inputs = [(draw(T, B, I),) for T, B in SHAPES]
    outputs = run_elsewhere(path, inputs, not equations, kind="package")
    with torch.no_grad(), penstock.backend("eager"):
        for (x,), found in zip(inputs, outputs, strict=True):
            assert_equal(found, layer(x))


# ---------------------------------------------------------------- mistakes


def test_hooks_are_refused(tmp_path):
    module = Every(["rnn"])
    module.layers["rnn"].register_forward_hook(lambda *_: None)
    with pytest.raises(ExportError, match=r"layers\.rnn has forward hooks"):
        penstock.export(module, tmp_path / "m.pt2", torch.zeros(5, 3, I))


def test_a_module_that_is_no_layer_needs_an_example(tmp_path):
    with pytest.raises(ArgumentError, match="Every is no layer of Penstock's"):
        penstock.export(Every(["rnn"]), tmp_path / "m.pt2")
    with pytest.raises(ArgumentError, match="module is a str"):
        penstock.export("rnn", tmp_path / "m.pt2")
    with pytest.raises(ArgumentError, match="example is a list"):
        penstock.export(Every(["rnn"]), tmp_path / "m.pt2", [torch.zeros(5, 3, I)])


def test_options_that_a_format_has_not_are_named(tmp_path):
    with pytest.raises(ArgumentError, match="no option 'int8'; its options: equations, package"):
        penstock.export(penstock.GRU(I, H), tmp_path / "m.pt2", int8=True)


def test_an_error_leaves_nothing_behind_and_the_old_file_in_its_place(tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return x * float(x.sum())  # looks at a number

    path = tmp_path / "m.pt2"
    path.write_text("old")
    training = Odd()
    with pytest.raises(ExportError, match=r"torch\.export cannot write Odd"):
        penstock.export(training, path, torch.zeros(5, 3, I))
    assert training.training
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["m.pt2"]
