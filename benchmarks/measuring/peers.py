"""The same layer in each library, as a function to time.

All start from the weights that torch.nn draws from seed 0, and from the same input, so that their
outputs can be compared. Legend: T steps, B rows, I input, H hidden.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Call = Callable[[], Any]


@dataclass(frozen=True)
class Work:
    """What is done.

    Attributes:
        library: "penstock", "torch" or "onnxruntime"; "stream" is penstock one step at a time,
            "cell" torch.nn's LSTMCell and GRUCell, and "sgemm" torch's product of two matrices.
        cell: "RNN", "LSTM" or "GRU".
        shape: T, B, I, H.
        kind: "training" (forward, and all gradients) or "inference".
        threads: that the library may use.
    """

    library: str
    cell: str
    shape: tuple[int, int, int, int]
    kind: str
    threads: int


def prepare(work: Work) -> tuple[Call, list[float]]:
    """Return the function to time, and some numbers of the output at the last step."""
    torch.set_num_threads(work.threads)
    torch.manual_seed(0)
    T, B, I, H = work.shape
    layer, x = getattr(nn, work.cell)(I, H), torch.randn(T, B, I)
    call, output = LIBRARIES[work.library](layer, x, work)
    return call, np.asarray(output).reshape(-1, H)[-1, :8].tolist()


def _torch(layer: nn.Module, x: Tensor, work: Work) -> tuple[Call, Any]:
    return _timed(layer, x, work.kind), layer(x)[0][-1].detach()


def _penstock(layer: nn.Module, x: Tensor, work: Work) -> tuple[Call, Any]:
    import penstock  # in the process that measures it alone

    ours = getattr(penstock, work.cell)(x.shape[2], work.shape[3])
    ours.load_state_dict(layer.state_dict())
    return _timed(ours, x, work.kind), ours(x)[0][-1].detach()


def _stream(layer: nn.Module, x: Tensor, work: Work) -> tuple[Call, Any]:
    import penstock

    ours = getattr(penstock, work.cell)(x.shape[2], work.shape[3])
    ours.load_state_dict(layer.state_dict())
    stream = ours.stream(x.shape[1])
    first = stream.step(x[0]).clone()
    return partial(stream.step, x[0]), first


def _cell(layer: nn.Module, x: Tensor, work: Work) -> tuple[Call, Any]:
    one = getattr(nn, f"{work.cell}Cell")(x.shape[2], work.shape[3])
    one.load_state_dict({name.removesuffix("_l0"): w for name, w in layer.state_dict().items()})
    zero = torch.zeros(x.shape[1], work.shape[3])
    state = (zero, zero) if work.cell == "LSTM" else zero

    def call() -> Any:
        with torch.no_grad():
            return one(x[0], state)

    made = call()
    return call, made[0] if work.cell == "LSTM" else made


def _timed(layer: nn.Module, x: Tensor, kind: str) -> Call:
    if kind == "inference":

        def infer() -> None:
            with torch.no_grad():
                layer(x)

        return infer
    x = x.clone().requires_grad_()
    weights = [x, *layer.parameters()]

    def train() -> None:
        output, _ = layer(x)
        torch.autograd.grad(output, weights, torch.ones_like(output))

    return train


ORDER = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}  # ONNX's i, o, f, c and z, r, h


def _onnxruntime(layer: nn.Module, x: Tensor, work: Work) -> tuple[Call, Any]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = work.threads
    session = onnxruntime.InferenceSession(onnx_model(layer, x, work.cell), settings)
    fed = {"X": x.numpy()}
    return lambda: session.run(None, fed), session.run(None, fed)[0][-1, 0]


def onnx_model(layer: nn.Module, x: Tensor, cell: str) -> bytes:
    """Return a layer of torch.nn as an ONNX model of one node."""
    import onnx
    from onnx import helper, numpy_helper

    order, H = ORDER[cell], layer.hidden_size

    def reordered(w: Any) -> Any:
        return w.reshape(len(order), H, *w.shape[1:])[order].reshape(w.shape)

    w, r, b1, b2 = (reordered(p.detach().numpy()) for p in layer.parameters())
    tensors = {"W": w[None], "R": r[None], "B": np.concatenate([b1, b2])[None]}
    constants = [numpy_helper.from_array(np.ascontiguousarray(t), n) for n, t in tensors.items()]
    options = {"linear_before_reset": 1} if cell == "GRU" else {}
    node = helper.make_node(cell, ["X", "W", "R", "B"], ["Y"], hidden_size=H, **options)
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [node], "layer", [helper.make_tensor_value_info("X", floats, list(x.shape))],
        [helper.make_tensor_value_info("Y", floats, None)], constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


SGEMM = 1024  # rows and columns of the product that shows what the machine can do


def _sgemm(_: nn.Module, __: Tensor, work: Work) -> tuple[Call, Any]:
    a, b = torch.randn(SGEMM, SGEMM), torch.randn(SGEMM, SGEMM)
    return lambda: a @ b, torch.full((work.shape[3],), torch.nan)


LIBRARIES: dict[str, Callable[[nn.Module, Tensor, Work], tuple[Call, Any]]] = {
    "penstock": _penstock,
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "stream": _stream,
    "cell": _cell,
    "sgemm": _sgemm,
}
