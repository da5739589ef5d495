"""Threads: the same bits for one and two, fork, several Python threads, interrupts, denormals."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import penstock
from penstock.cells import cells
from penstock.compiler.backends.c import kernel as c
from penstock.compiler.backends.c import threads as pool
from penstock.compiler.runtime import tiles

needs_pool = pytest.mark.skipif(pool.pool() is None, reason="torch has no OpenMP pool here")
# T, B, I, H and whether rows or columns are shared; odd sizes, and enough work for two threads
ROWS, COLUMNS = (7, 29, 5, 67), (40, 5, 9, 131)
CELLS = ["lstm", "gru_reset_before", "projected_lstm", "peephole_lstm"]


@pytest.fixture(autouse=True)
def one_thread_again():
    yield
    torch.set_num_threads(1)


def work(cell, shape, seed=0, dtype=torch.float32, bidirectional=True):
    """Return a layer, its input and its masks."""
    T, B, I, H = shape
    torch.manual_seed(seed)
    layer = penstock.Recurrent(cell, I, H, bidirectional=bidirectional, dtype=dtype)
    lengths = torch.randint(1, T + 1, (B,))
    return layer, torch.randn(T, B, I, dtype=dtype), {"lengths": lengths}


def everything(layer, x, masks):
    """Return output, states and all gradients."""
    x = x.clone().requires_grad_()
    with penstock.backend("c"):
        output, state = layer(x, **masks)
    states = state if isinstance(state, tuple) else (state,)
    total = sum((r * torch.linspace(-1, 1, r.numel()).view_as(r)).sum() for r in (output, *states))
    gradients = torch.autograd.grad(total, [x, *layer.parameters()])
    return [output.detach(), *(s.detach() for s in states), *gradients]


def same_bits(ours, theirs):
    return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


@pytest.fixture
def shares(monkeypatch):
    """Return the list of how the calls were shared, as it grows."""
    seen, usual = [], c.CLoop._share

    def noting(self, call, available):
        seen.append(usual(self, call, available))
        return seen[-1]

    monkeypatch.setattr(c.CLoop, "_share", noting)
    return seen


@needs_pool
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("shape", "columns"), [(ROWS, False), (COLUMNS, True)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_same_bits_for_one_and_two_threads(cell, shape, columns, dtype, shares):
    """Of the kernel: torch's own products after the loop are asked to use one thread."""
    layer, x, masks = work(cell, shape, dtype=dtype)
    once = everything(layer, x, masks)
    assert {team for team, _ in shares} == {1}
    shares.clear()
    two = threaded_kernels(2, partial(everything, layer, x, masks))
    assert shares == [(2, columns)] * len(shares)
    assert same_bits(once, two)


def threaded_kernels(n, function):
    """Run a function whose kernels have n threads, and torch itself one."""
    usual = c.torch.get_num_threads
    c.torch.get_num_threads = lambda: n
    try:
        return function()
    finally:
        c.torch.get_num_threads = usual


SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
ODD = [(6, 7, 5, 33), (4, 17, 3, 61), (3, 3, 7, 129)]


@needs_pool
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("cell", SHIPPED)
def test_same_bits_for_one_to_four_threads_in_every_cell(cell, dtype, monkeypatch):
    """Of the kernel, forward and backward, sharing rows and columns, at odd sizes."""
    for shape in ODD:
        layer, x, masks = work(cell, shape, dtype=dtype, bidirectional=False)
        with monkeypatch.context() as patch:
            patch.setattr(c.CLoop, "_share", lambda *_: (1, False))
            once = everything(layer, x, masks)
        for team, columns in itertools.product((2, 3, 4), (False, True)):
            with monkeypatch.context() as patch:
                patch.setattr(c.CLoop, "_share", lambda *_, to=(team, columns): to)
                assert same_bits(once, everything(layer, x, masks)), (shape, team, columns)


@needs_pool
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("cell", SHIPPED)
def test_the_same_bits_whatever_torch_is_told(cell, dtype):
    """The products around the loop, torch's own, too: outputs, states and all gradients."""
    # few rows; many, of which some are left over
    for shape in ((3, 3, 16, 32), (5, 2, 16, 32), (30, 7, 5, 33), (41, 26, 3, 61)):
        layer, x, masks = work(cell, shape, dtype=dtype, bidirectional=False)
        masks["lengths"][-1] = shape[0]  # the last row, which is multiplied otherwise, is not 0
        results = []
        for threads in (1, 2, 3, 4):
            torch.set_num_threads(threads)
            results.append(everything(layer, x, masks))
        assert all(same_bits(results[0], other) for other in results[1:]), shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_products_around_the_loop_for_many_threads(dtype):
    torch.manual_seed(0)
    for rows, inner, columns in (
        (7, 61, 16),
        (100, 61, 33),
        (1066, 7, 100),
        (1066, 100, 100),
        (3072, 105, 2),
    ):
        a, b = torch.randn(rows, inner, dtype=dtype), torch.randn(rows, columns, dtype=dtype)
        weight, bias = torch.randn(inner, columns, dtype=dtype), torch.randn(columns, dtype=dtype)
        results = []
        for threads in (1, 8, 24, 32):
            torch.set_num_threads(threads)
            out = torch.empty(rows, columns, dtype=dtype)
            tiles.multiply(a, weight, out, bias)
            results.append([out, tiles.sum_products(a, b)])
        assert all(same_bits(results[0], other) for other in results[1:]), (rows, inner, columns)


@needs_pool
@pytest.mark.parametrize("team", [2, 3, 5, 8])
@pytest.mark.parametrize("columns", [False, True])
def test_same_bits_for_teams_of_any_size(team, columns, monkeypatch):
    """Also where there are more threads than rows, columns or cores."""
    for shape in ((3, 4, 2, 3), (2, 13, 3, 17), (3, 2, 3, 65)):
        layer, x, masks = work("gru_reset_before", shape)
        once = everything(layer, x, masks)
        with monkeypatch.context() as patch:
            patch.setattr(c.CLoop, "_share", lambda *_: (team, columns))
            assert same_bits(once, everything(layer, x, masks)), shape


@needs_pool
def test_again_and_again(shares):
    """The same bits every time: nothing depends on who comes first."""
    for shape in (ROWS, COLUMNS):
        given = work("lstm", shape)
        first = everything(*given)
        for _ in range(10):
            assert same_bits(first, threaded_kernels(2, partial(everything, *given)))
    assert (2, False) in shares
    assert (2, True) in shares


def from_several(function, n=4):
    """Call a function with 0, 1, … in n Python threads at once; return the results."""
    found, barrier = [None] * n, threading.Barrier(n)

    def run(k):
        barrier.wait()
        found[k] = function(k)

    started = [threading.Thread(target=run, args=(k,)) for k in range(n)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return found


@pytest.mark.parametrize("kernel_threads", [1, 2])
def test_several_python_threads(kernel_threads):
    """Each with its own input, all with one layer: as if one after another."""
    layer, x, masks = work("lstm", (10, 9, 5, 64))
    inputs = [x + k for k in range(4)]
    serial = [everything(layer, i, masks) for i in inputs]
    for _ in range(3):
        at_once = threaded_kernels(
            kernel_threads, lambda: from_several(lambda k: everything(layer, inputs[k], masks))
        )
        assert all(map(same_bits, serial, at_once))


def test_several_python_threads_in_inference():
    """What is kept between calls does not get mixed up; two layers share one kernel."""
    layers = [work("lstm", (6, 3, 5, 33), seed=k, bidirectional=False)[0] for k in range(2)]
    x = work("lstm", (6, 3, 5, 33))[1]

    def run(k):
        with torch.no_grad(), penstock.backend("c"):
            return [layers[(k + n) % 2](x)[0] for n in range(20)]

    serial = [run(k) for k in range(4)]
    assert all(map(same_bits, serial, from_several(run)))


@pytest.mark.parametrize(
    "change", ["in place", ".data", "other data", "load_state_dict", "swap", "step"]
)
def test_changed_weights_are_seen_in_inference(change):
    """Weights laid out for the last call do not outlive a change, however it is made."""
    layer, x, _ = work("gru", (4, 3, 5, 33), bidirectional=False)
    other = work("gru", (4, 3, 5, 33), seed=5, bidirectional=False)[0]
    with torch.no_grad(), penstock.backend("c"):
        before = layer(x)[0]
        layer(x)
        if change == "in place":
            layer.weight_hh_l0.mul_(2)
        elif change == ".data":
            layer.weight_hh_l0.data.mul_(2)
        elif change == "other data":
            layer.weight_hh_l0.data = other.weight_hh_l0.data
        elif change == "load_state_dict":
            layer.load_state_dict(other.state_dict())
        elif change == "swap":
            layer.weight_hh_l0 = other.weight_hh_l0
        else:
            layer.weight_hh_l0.grad = torch.ones_like(layer.weight_hh_l0)
            torch.optim.SGD([layer.weight_hh_l0], lr=0.1).step()
        after = layer(x)[0]
    assert not torch.equal(before, after)
    with torch.no_grad(), penstock.backend("eager"):
        torch.testing.assert_close(after, layer(x)[0], rtol=1e-4, atol=1e-5)


def test_one_changed_element_is_seen_in_inference():
    """A change through .data bumps no version, be it of one element only."""
    layer, x, _ = work("gru", (4, 3, 5, 33), bidirectional=False)
    for row, column in ((0, 0), (50, 7), (98, 32), (40, 31)):
        with torch.no_grad(), penstock.backend("c"):
            layer(x)
            layer.weight_hh_l0.data[row, column] += 1
            after = layer(x)[0]
        with torch.no_grad(), penstock.backend("eager"):
            torch.testing.assert_close(after, layer(x)[0], rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- fork


def in_child(connection, layer, x, masks):
    connection.send([t.numpy() for t in everything(layer, x, masks)])


@needs_pool
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_fork():
    """The child of a process whose threads have run: it has no threads, and the same results."""
    layer, x, masks = work("lstm", ROWS)
    ours = threaded_kernels(2, partial(everything, layer, x, masks))
    context = multiprocessing.get_context("fork")
    parent, child = context.Pipe()
    c.torch.set_num_threads(1)
    process = context.Process(target=in_child, args=(child, layer, x, masks))
    process.start()
    assert parent.poll(60), "the child hangs"
    theirs = list(map(torch.from_numpy, parent.recv()))
    process.join(10)
    assert process.exitcode == 0
    assert same_bits(ours, theirs)
    assert same_bits(ours, threaded_kernels(2, partial(everything, layer, x, masks)))


class Embedded(Dataset):
    """Rows that a layer makes when they are asked for, in the worker."""

    def __init__(self, layer, x):
        self.layer, self.x = layer, x

    def __len__(self):
        return self.x.shape[1]

    def __getitem__(self, k):
        with torch.no_grad(), penstock.backend("c"):
            return self.layer(self.x[:, k : k + 1])[0][:, 0]


@needs_pool
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_the_worker_of_a_data_loader():
    layer, x, _ = work("lstm", ROWS)
    threaded_kernels(2, lambda: everything(layer, x, {}))
    dataset = Embedded(layer, x)
    loader = DataLoader(dataset, batch_size=4, num_workers=1, timeout=60)
    made = torch.cat(list(loader))
    assert torch.equal(made, torch.stack([dataset[k] for k in range(len(dataset))]))


# ---------------------------------------------------------------- interrupts, denormals

INTERRUPTED = textwrap.dedent("""
    import signal, sys, threading, os, torch, penstock
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    torch.set_num_threads(2)
    layer = penstock.LSTM(8, 256)
    small, x = torch.ones(3, 2, 8), torch.ones(1000, 16, 8)
    before = layer(small)[0]
    try:
        threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            layer(x)[0].sum().backward()
    except KeyboardInterrupt:
        print("interrupted")
    assert torch.equal(before, layer(small)[0])
    layer.zero_grad()
    layer(small)[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    print("usable")
""")


@pytest.mark.parametrize("after", [0.05, 0.4])
def test_an_interrupt_leaves_things_usable(after):
    command = [sys.executable, "-c", INTERRUPTED, str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "interrupted\nusable\n", done.stderr
    assert done.returncode != -signal.SIGINT


@pytest.mark.parametrize("cell", CELLS)
def test_denormals(cell):
    """Numbers too small for a normal float may count as 0, and disturb nothing."""
    layer, x, masks = work(cell, (5, 7, 5, 19))
    tiny = [x * 1e-40, torch.full_like(x, 1e-40), torch.where(x > 0, x, 1e-42)]
    for given in tiny:
        assert (given != 0).all()
        ours = everything(layer, given, masks)
        with penstock.backend("eager"):
            output, _ = layer(given, **masks)
        torch.testing.assert_close(ours[0], output, rtol=1e-5, atol=1e-6)
        assert all(t.isfinite().all() for t in ours)


def test_a_kernel_leaves_the_processors_mode_as_it_was():
    """What flushes denormals ends with the kernel, in its threads as well."""
    layer, x, masks = work("lstm", ROWS)
    threaded_kernels(2, partial(everything, layer, x, masks))
    torch.set_num_threads(2)
    small = torch.full((1 << 20,), 1e-40)
    assert (small * 0.5 != 0).all()
