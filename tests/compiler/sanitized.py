"""Runs kernels over odd shapes; `test_sanitizers.py` starts it under the sanitizers.

    python sanitized.py DTYPE CELL [CELL ...]      or      python sanitized.py wrong | overrun

Every way of sharing the work is forced, for these shapes are too small to be shared.
"""

import ctypes
import itertools
import sys
from collections.abc import Callable

import torch

import penstock
from penstock.cells import cells
from penstock.compiler.backends import c
from penstock.compiler.runtime import build
from penstock.errors import PenstockError

# T, B, I, H: 1; fewer rows than a tile, one more than two; a column less and more than vectors
SHAPES = [(1, 1, 1, 1), (2, 13, 3, 5), (3, 4, 2, 17), (2, 7, 5, 33), (2, 0, 2, 3)]
SHARES = [(1, False), (2, False), (2, True)]
OVERRUN = "void overrun(double *p, long n) { for (long k = 0; k <= n; ++k) p[k] = k; }"


def run(cell: str, dtype: torch.dtype, shape: tuple[int, ...], masked: bool) -> None:
    """Run a stack of two layers, forward and backward, trained and not, in both directions."""
    T, B, I, H = shape
    options = {"proj_size": 3} if cell == "projected_lstm" else {}
    layer = penstock.Recurrent(cell, I, H, 2, bidirectional=True, dtype=dtype, **options)
    x = torch.randn(T, B, I, dtype=dtype, requires_grad=True)
    lengths = torch.tensor([(k * 7) % (T + 1) for k in range(B)], dtype=torch.int64)
    masks = {"lengths": lengths, "reset": torch.rand(T, B) < 0.4} if masked else {}
    output, state = layer(x, **masks)
    states = state if isinstance(state, tuple) else (state,)
    sum(t.sum() for t in (output, *states)).backward()
    with torch.no_grad():
        layer(x, **masks)


def main(dtype: str, *names: str) -> None:
    """Run cells over all shapes, masks and ways of sharing."""
    torch.set_num_threads(2)
    assert set(names) <= set(cells())
    with penstock.backend("c"):
        for name, shape, share in itertools.product(names, SHAPES, SHARES):
            c.CLoop._share = lambda *_, to=share: to  # type: ignore[method-assign]
            for masked in (False, True):
                run(name, getattr(torch, dtype), shape, masked)
    print("clean")


WRONG = {
    "meta": lambda t: t.to("meta"),
    "another type": lambda t: t.double() if t.dtype == torch.float32 else t.float(),
    "half": torch.Tensor.half,
    "whole numbers": torch.Tensor.int,
    "smaller": lambda t: t[..., :1],
    "fewer": lambda t: t[:1],
    "larger": lambda t: torch.cat([t, t], -1),
    "another dimension": lambda t: t[None],
    "sparse": lambda t: t.to_sparse(),
    "freed": lambda t: (t := t.clone(), t.untyped_storage().resize_(0))[0],
    "no numbers": lambda t: torch._efficientzerotensor(*t.shape),
}


def attempt(what: str, call: Callable[[], object]) -> None:
    """Fail unless a wrong call raises, or the equations run: no kernel may be reached."""
    reached: list[str] = []
    run, fill = c.CLoop.run, c.CLoop.fill

    def watch(method: Callable[..., object]) -> Callable[..., object]:
        return lambda *given: (reached.append(what), method(*given))[1]

    c.CLoop.run, c.CLoop.fill = watch(run), watch(fill)  # type: ignore[method-assign]
    try:
        call()
    except (PenstockError, RuntimeError, NotImplementedError, TypeError):
        pass
    else:
        equations = ("sparse", "no numbers")  # what has no memory, torch itself can read
        assert what.endswith(equations), what
    finally:
        c.CLoop.run, c.CLoop.fill = run, fill  # type: ignore[method-assign]
    assert not reached, what


def wrong_weights(cell: str, name: str, spoil: str, x: torch.Tensor) -> None:
    """Spoil a weight of a layer before a call, before its gradient, and before a stream."""
    what, wrong = f"{cell}, {name} {spoil}", WRONG[spoil]
    for training in (True, False):
        layer = penstock.Recurrent(cell, 3, 17).requires_grad_(training)
        layer._parameters[name] = wrong(getattr(layer, name).detach())
        attempt(what, lambda: layer(x))  # noqa: B023 (called at once)
        attempt(f"a stream of {what}", lambda: layer.stream(4).step(x[0]))  # noqa: B023
    layer = penstock.Recurrent(cell, 3, 17)
    output, _ = layer(x)
    try:
        getattr(layer, name).data = wrong(getattr(layer, name).data)
    except RuntimeError:
        return  # torch knows that the two are no tensors of one kind
    attempt(f"the gradient of {what}", lambda: output.sum().backward())


def wrong_arguments(cell: str, spoil: str, x: torch.Tensor) -> None:
    """Spoil what a layer, and a step of a stream, are called with, and what was saved."""
    wrong, layer = WRONG[spoil], penstock.Recurrent(cell, 3, 17)
    state = tuple(torch.zeros(1, 4, 17) for _ in layer.cell.states)
    stream = layer.stream(4)
    if spoil != "fewer":  # steps
        attempt(f"{cell}, x {spoil}", lambda: layer(wrong(x), state))
    attempt(f"{cell}, state {spoil}", lambda: layer(x, (wrong(state[0][0])[None], *state[1:])))
    attempt(f"{cell}, a step {spoil}", lambda: stream.step(wrong(x[0])))
    if spoil not in ("freed", "no numbers"):  # torch copies these two itself, well or not
        attempt(f"{cell}, set {spoil}", lambda: setattr(stream, "state", wrong(state[0][0])[None]))
        attempt(f"{cell}, reset {spoil}", lambda: layer(x, reset=wrong(torch.ones(2, 4) > 0)))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, wrong):
        output, _ = layer(x)
    attempt(f"{cell}, saved {spoil}", lambda: output.sum().backward())
    stream.step(x[0])


def wrong() -> None:
    """Call layers and streams with what does not fit, in every way: no kernel may be reached."""
    x = torch.randn(2, 4, 3)
    for cell in ("gru", "peephole_lstm"):
        for spoil in WRONG:
            for name, _ in penstock.Recurrent(cell, 3, 17).named_parameters():
                wrong_weights(cell, name, spoil, x)
            wrong_arguments(cell, spoil, x)
    for dtype in (torch.bfloat16, torch.float16):
        stream = penstock.Recurrent("gru", 8, 64, dtype=dtype).stream(1)
        for _ in range(20):
            stream.step(torch.randn(1, 8, dtype=dtype))
    print("clean")


def overrun() -> None:
    """Write one number past the end of a tensor: the sanitizers have to see it."""
    kernel, memory = build.library(OVERRUN), torch.zeros(16, dtype=torch.float64)
    kernel.overrun(ctypes.c_void_p(memory.data_ptr()), ctypes.c_long(16))
    print("clean")


if __name__ == "__main__":
    alone = {"wrong": wrong, "overrun": overrun}
    alone[sys.argv[1]]() if sys.argv[1] in alone else main(*sys.argv[1:])
