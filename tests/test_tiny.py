"""The whole path in seconds: a cell of ten lines is trained; a comparison leaves a model."""

import json
import math

import torch

import penstock
from penstock.cli.main import run


class Leaky(penstock.Cell):
    """A leaky integrator with a learned leak."""

    a, z = penstock.Gate(), penstock.Gate(bias=1.0)

    def step(self, x, h):
        z = torch.sigmoid(self.z(x, h))
        return z * h + (1 - z) * torch.tanh(self.a(x, h))


def test_equations_to_kernel():
    """A cell of one's own learns to sum its inputs, compiled, and agrees with its equations."""
    torch.manual_seed(0)
    layer, head = penstock.Recurrent(Leaky, 1, 16), torch.nn.Linear(16, 1)
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    x = torch.randn(8, 64, 1)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (head(layer(x)[1][-1]) - x.sum(0)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    with penstock.backend("eager"):
        expected = layer(x)[0]
    torch.testing.assert_close(layer(x)[0], expected, atol=1e-5, rtol=1e-4)


def test_file_to_verdict(tmp_path):
    """A sine with a trend: a comparison leaves its three outputs, and a model forecasts."""
    rows = [f"{t},{0.05 * t + math.sin(t / 2)}" for t in range(160)]
    data, out = tmp_path / "sine.csv", tmp_path / "out"
    data.write_text("t,y\n" + "\n".join(rows) + "\n")
    words = ["--horizon", "4", "--seeds", "1", "--cells", "gru", "--size", "small"]
    words += ["--out", str(out)]
    assert run(["compare", str(data), *words]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["schema"].startswith("penstock.results/")
    assert results["verdict"]["sentences"]
    assert "<html" in (out / "report.html").read_text()[:500]
    forecast = tmp_path / "forecast.csv"
    model = str(out / "models" / "gru.json")
    assert run(["forecast", model, str(data), "--out", str(forecast)]) == 0
    assert len(forecast.read_text().splitlines()) == 1 + 4
