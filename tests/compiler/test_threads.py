"""Kernels among threads and processes: the same bits, whoever runs them."""

import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

import penstock

SHAPES = [(20, 40, 32, 64), (20, 3, 64, 96), (5, 7, 200, 250), (40, 1, 64, 128)]  # T, B, I, H


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(layer, x, count):
    torch.set_num_threads(count)
    # The products after the loop are torch's, whose bits may depend on threads: not compared.
    state = torch.zeros(1, x.shape[1], layer.hidden_size, requires_grad=True)
    states = (state,) * len(layer.cell.states)
    output, _ = layer(x, states if len(states) > 1 else state)
    return output.detach(), *torch.autograd.grad(output.square().sum(), state)


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "peephole_lstm"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_for_any_number_of_threads(cell, shape):
    T, B, I, H = shape
    torch.manual_seed(0)
    layer, x = penstock.Recurrent(cell, I, H), torch.randn(T, B, I)
    torch.set_num_threads(1)
    lifted = torch.nn.functional.linear(x, layer.weight_ih_l0)
    torch.set_num_threads(2)
    if not torch.equal(lifted, torch.nn.functional.linear(x, layer.weight_ih_l0)):
        pytest.skip("torch's own product differs between threads at this shape")
    for one, two in zip(run(layer, x, 1), run(layer, x, 2), strict=True):
        assert torch.equal(one, two)


def test_from_several_python_threads():
    layer = penstock.LSTM(16, 64)
    inputs = [torch.randn(30, 20, 16) for _ in range(8)]
    wanted = [layer(x)[0] for x in inputs]
    found = [None] * len(inputs)

    def work(k):
        with torch.no_grad():
            for _ in range(5):
                found[k] = layer(inputs[k])[0]

    workers = [threading.Thread(target=work, args=(k,)) for k in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


FORKED = """
import os, torch, penstock
torch.set_num_threads(2)
layer, x = penstock.LSTM(64, 128), torch.randn(50, 32, 64)
wanted = layer(x)[0].sum().item()     # the parent's team is at work
pid = os.fork()
if pid == 0:
    torch.set_num_threads(1)          # as a loader's worker has; torch's own products hang else
    with torch.no_grad():
        same = abs(layer(x)[0].sum().item() - wanted) < 1e-2
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_after_fork():
    ran = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "0"


class Rows(torch.utils.data.Dataset):
    """A data set whose rows come out of a layer."""

    def __init__(self):
        self.layer = penstock.GRU(4, 8)

    def __len__(self):
        return 4

    def __getitem__(self, k):
        with torch.no_grad():
            return self.layer(torch.full((5, 1, 4), float(k)))[0]


def test_in_a_loader_s_worker():
    rows = Rows()
    loaded = list(torch.utils.data.DataLoader(rows, batch_size=None, num_workers=1))
    for k, row in enumerate(loaded):
        torch.testing.assert_close(row, rows[k])


def test_denormals_are_no_trouble():
    layer = penstock.LSTM(4, 8)
    x = torch.full((10, 3, 4), 1e-40)
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        assert layer(x)[0].abs().max() < 1e-30
    torch.testing.assert_close(torch.tensor(1e-40) * 2, torch.tensor(2e-40), atol=0, rtol=1e-3)


INTERRUPTED = """
import torch, penstock
layer, x = penstock.LSTM(64, 256), torch.randn(400, 32, 64)
wanted = layer(x)[0]
print("ready", flush=True)
try:
    while True:
        layer(x)
except KeyboardInterrupt:
    assert torch.equal(layer(x)[0], wanted)
    print("well", flush=True)
"""


def test_interrupted():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "well"
