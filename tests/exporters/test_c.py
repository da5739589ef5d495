"""C99: every cell through gcc as a program, beside the layer in torch."""

import subprocess
import sys

import pytest
import torch
from built import SANITIZED, STRICT, build, compiler, outputs, program

import penstock
from penstock.cells import cells
from penstock.errors import ArgumentError, ExportError
from penstock.exporters.c.functions import written_functions

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
STEPS = 100
EXTRA = {"projected_lstm": {"proj_size": 3}}


def layer(cell, input_size, hidden_size, **options):
    """Return a layer in evaluation whose biases and initial states are not zero."""
    torch.manual_seed(len(cell) if isinstance(cell, str) else 0)
    made = penstock.Recurrent(cell, input_size, hidden_size, **options).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.uniform_(-0.5, 0.5)
    return made


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """Return all cells in two layers, in one program: folder, layers, inputs, outputs."""
    compiler()
    folder = tmp_path_factory.mktemp("c")
    layers = {c: layer(c, 3, 5, num_layers=2, **EXTRA.get(c, {})) for c in SHIPPED}
    names = {}
    for n, (cell, made) in enumerate(layers.items()):
        penstock.export(made, folder / f"{cell}.c")
        draws = torch.Generator().manual_seed(n)
        names[cell] = torch.randn(STEPS, 3, generator=draws), made.output_size
    main = program(folder, names)
    return folder, layers, names, outputs(build(main, *STRICT, "-O0"), names)


@pytest.mark.parametrize("cell", SHIPPED)
def test_a_cell_gives_what_the_layer_gives(every, cell):
    """100 steps of two layers."""
    _, layers, names, given = every
    with torch.no_grad():
        wanted, _ = layers[cell](names[cell][0])
    torch.testing.assert_close(given[cell], wanted, atol=2e-5, rtol=0)


def test_bits_are_those_of_the_sanitizers_builds(every):
    """Optimised, and under the address and undefined-behaviour sanitizers, to the last bit."""
    folder, _, names, given = every
    made = build(folder / "main.c", *STRICT, *SANITIZED, output="sanitized")
    sanitized = outputs(made, names)
    assert all(torch.equal(sanitized[cell], given[cell]) for cell in names)


VARIED = {
    "ln_lstm": ("lstm", {"layer_norm": True, "zoneout": 0.1, "trainable_state": True}),
    "clipped_gru": ("gru", {"clip_gates": 0.5, "clip_state": 0.3}),
    "ln_lem": ("lem", {"layer_norm": True}),
    "residual_sru": ("sru", {"num_layers": 3, "projection_size": 4, "connection": "residual"}),
    "highway": ("gru", {"num_layers": 2, "projection_size": 4, "connection": "highway"}),
    "bare": ("janet", {"bias": False, "trainable_state": True, "num_layers": 2}),
    "below": ("depth_gated_lstm", {"num_layers": 3}),
    "wide": ("lstm", {"hidden_size": 19}),
    "one": ("gru", {"hidden_size": 1}),
    "few": ("rnn", {"hidden_size": 3, "input_size": 17}),
    "float64": ("gru", {"dtype": torch.float64}),
}


class Swapped(penstock.Cell):
    """States that change places, a reduction, and a state that is as it was."""

    states = ("h", "a", "b", "kept")
    g, m = penstock.Gate(), penstock.Matrix()
    scale = penstock.Vector(0.5, size="1")

    def step(self, x, h, a, b, kept):
        mean = torch.softmax(self.g(x, h), dim=-1)
        new = torch.relu(self.m(b - mean)) * torch.sigmoid(self.scale) + torch.sin(h) + a
        return new * 0.5, b, a + mean, kept

    def output(self, x, h, a, b, kept):  # noqa: ARG002
        return torch.where(h > b, h, kept - b)


class Unread(penstock.Cell):
    """A cell that reads its input and forgets all else; its µ is no name in C."""

    states = ("h", "µ")
    g = penstock.Gate(h=False)

    def step(self, x, h, µ):  # noqa: ARG002, PLC2401
        return self.g(x), h


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Return layers with modifiers, connections and cells of one's own, in one program."""
    compiler()
    folder = tmp_path_factory.mktemp("c")
    asked = VARIED | {"swapped": (Swapped, {"num_layers": 2}), "unread": (Unread, {})}
    layers, names = {}, {}
    for name, (cell, options) in asked.items():
        sizes = {"input_size": 4, "hidden_size": 6}
        layers[name] = made = layer(cell, **(sizes | options))
        penstock.export(made, folder / f"{name}.c")
        draws = torch.Generator().manual_seed(len(name))
        names[name] = torch.randn(STEPS, made.input_size, generator=draws), made.output_size
    return folder, layers, names, program(folder, names)


def test_layers_of_all_kinds(varied):
    """Modifiers, connections, learned states, sizes, and cells of one's own."""
    _, layers, names, main = varied
    given = outputs(build(main, *STRICT, "-O2"), names)
    for name, made in layers.items():
        with torch.no_grad():
            wanted, _ = made.double()(names[name][0].double())
        torch.testing.assert_close(given[name].double(), wanted, atol=2e-5, rtol=0, msg=name)


def test_it_is_cpp_too(varied):
    """g++ takes the same files, and the same bits come out."""
    _, _, names, main = varied
    flags = ["-x", "c++", "-std=c++11", *STRICT[1:]]
    cpp = outputs(build(main, *flags, "-O0", command="g++", output="cpp"), names)
    plain = outputs(build(main, *STRICT, "-O0", output="plain"), names)
    assert all(torch.equal(cpp[name], plain[name]) for name in names)


def test_clang_is_content(varied):
    """No warning of clang's, which PyPI's ziglang brings where the system has none."""
    pytest.importorskip("ziglang")
    main = varied[3]
    words = [sys.executable, "-m", "ziglang", "cc", *STRICT, "-c", str(main)]
    words += ["-o", str(main.with_suffix(".o"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


CALLS = """#include <stdio.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
{functions}
int main(void) {{
  float x;
  while (fread(&x, sizeof x, 1, stdin) == 1) {{
    float y[] = {{ {calls} }};
    fwrite(y, sizeof y, 1, stdout);
  }}
  return 0;
}}
"""


@pytest.mark.parametrize("flags", [[], ["-O3"], ["-O3", "-ffast-math"]])
def test_functions(tmp_path, flags):
    """σ, tanh and exp to 2·10⁻⁷ of torch's in float64, and NaN, infinities and zeros as there."""
    ops = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "exp": torch.exp, "relu": torch.relu}
    calls = ", ".join(f"P_{op}(x)" for op in ops)
    source = tmp_path / "functions.c"
    source.write_text(CALLS.format(functions=written_functions(ops), calls=calls))
    made = build(source, "-std=c99", *flags)
    edges = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e38, -1e38, 88.5, -88.5])
    spread = torch.linspace(-87, 87, 20001), torch.randn(20000) * 1e-3
    x = torch.cat([edges, *spread]).float()
    done = subprocess.run([made], input=x.numpy().tobytes(), capture_output=True, check=True)
    given = torch.frombuffer(bytearray(done.stdout), dtype=torch.float32).reshape(-1, len(ops))
    for column, exact in enumerate(ops.values()):
        wanted = exact(x.double())
        wanted = wanted.float().double()
        found = given[:, column].double()
        if "-ffast-math" in flags:  # sums in another order; e^x may be infinite a little too early
            torch.testing.assert_close(found[9:], wanted[9:], rtol=2e-5, atol=1e-7)
        else:
            torch.testing.assert_close(found, wanted, rtol=2e-7, atol=2e-38, equal_nan=True)


SEPARATE = """#include <stdio.h>
#include <stdlib.h>
#include "net.h"
int main(int argc, char **argv) {
  static float words[100000];
  net_weights w;
  net_state s;
  float x[4] = {0.5f, -1.0f, 0.25f, 2.0f}, y[NET_OUTPUTS];
  FILE *file = fopen(argv[1], "rb");
  int error, from = argc > 2 ? atoi(argv[2]) : 0;
  if (argc < 2 || !file) return 9;
  error = net_load(&w, (char *)words + from, fread(words, 1, sizeof words, file) - from);
  if (error) return error;
  net_reset(&w, &s);
  for (int t = 0; t < 5; ++t) net_step(&w, &s, x, y);
  for (int j = 0; j < NET_OUTPUTS; ++j) printf("%.9g ", (double)y[j]);
  return 0;
}
"""


@pytest.mark.parametrize("int8", [False, True])
def test_separate_weights(tmp_path, int8, capfd):
    """The file gives what the constants give; another's, a damaged or a cut one is refused."""
    made = layer("lstm", 4, 6, num_layers=2, trainable_state=True)
    penstock.export(made, tmp_path / "net.c", weights="separate", int8=int8)
    weights = (tmp_path / "net.weights").read_bytes()
    main = tmp_path / "main.c"
    main.write_text(SEPARATE)
    done = build(main, *STRICT, *SANITIZED, str(tmp_path / "net.c"))

    def run(data, *words):
        (tmp_path / "given").write_bytes(data)
        return subprocess.run([done, tmp_path / "given", *words], capture_output=True, check=False)

    with torch.no_grad():
        wanted = made(torch.tensor([0.5, -1.0, 0.25, 2.0]).expand(5, 4))[0][-1]
    given = torch.tensor([float(word) for word in run(weights).stdout.split()])
    torch.testing.assert_close(given, wanted, atol=0.02 if int8 else 2e-6, rtol=0)
    assert run(weights[:-1]).returncode == run(b"x" + weights[1:]).returncode == 1
    assert run(b"x" + weights, "1").returncode == 2
    assert run(weights[:8] + weights[11:7:-1] + weights[12:]).returncode == 3
    assert run(weights[:-1] + bytes([weights[-1] ^ 1])).returncode == 5
    penstock.export(layer("lstm", 4, 6, num_layers=2), tmp_path / "other.c", weights="separate")
    other = (tmp_path / "other.weights").read_bytes()
    assert run(other + weights[len(other) :]).returncode in (1, 4)
    capfd.readouterr()


def test_int8_says_what_it_costs(tmp_path, capfd):
    """The loss that is printed is that of the C, and the weights take a quarter."""
    made = layer("gru", 4, 32)
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(3))
    penstock.export(made, tmp_path / "net.c", x, int8=True)
    said = capfd.readouterr().out
    names = {"net": (x, 32)}
    given = outputs(build(program(tmp_path, names), *STRICT), names)["net"]
    with torch.no_grad():
        off = given - made(x)[0]
    most, rms = off.abs().max().item(), off.square().mean().sqrt().item()
    assert 0 < most < 0.02
    assert f"at most {most:.2g}, rms {rms:.2g}" in said
    assert "200 steps of the example" in said
    assert said.split(": ", 1)[1].strip() in (tmp_path / "net.h").read_text()


def test_a_file_named_as_c_cannot(tmp_path):
    """Its functions are named by what C can say, and the header says how."""
    made = layer("rnn", 2, 3)
    penstock.export(made, tmp_path / "2 für-dich.c")
    assert 'In C "2 für-dich" is called net_2_f_r_dich.' in (tmp_path / "2 für-dich.h").read_text()
    with pytest.raises(ArgumentError, match=r"has no letter or digit; give a name such as net\.c"):
        penstock.export(made, tmp_path / "__.c")
    with pytest.raises(ArgumentError, match="C cannot include a header"):
        penstock.export(made, tmp_path / 'a"b.c')


def test_what_cannot_be_said(tmp_path):
    """Errors say why, and leave no file."""
    for module, options, message in (
        (layer("gru", 2, 3, bidirectional=True), {}, "a step knows no later steps"),
        (torch.nn.Linear(2, 3), {}, "has no recurrent equations"),
        (layer("gru", 2, 3), {"weights": "none"}, 'must be "constant" or "separate"'),
    ):
        with pytest.raises((ArgumentError, ExportError), match=message):
            penstock.export(module, tmp_path / "net.c", **options)
    broken = layer("gru", 2, 3)
    with torch.no_grad():
        broken.weight_hh_l0[0, 0] = torch.nan
    with pytest.raises(ExportError, match="infinite or NaN, which int8 cannot say"):
        penstock.export(broken, tmp_path / "net.c", int8=True)
    with pytest.raises(ArgumentError, match=r"the example is \[5, 3\]"):
        penstock.export(layer("gru", 2, 3), tmp_path / "net.c", torch.ones(5, 3), int8=True)
    assert not [*tmp_path.iterdir()]
