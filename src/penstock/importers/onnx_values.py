"""What can be known of an ONNX graph's values: constants, and how a probe is laid out anew.

Nothing but operators that move values about is evaluated, by onnx's reference in NumPy. With known
numbers in the place of an input and of what recurrent nodes give, the same pass tells how a value
that a node reads is made of them, whichever Transpose, Squeeze and Reshape an exporter has put
between.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ModelFileError, PenstockError
from penstock.importers.onnx_files import Beside, arrays, to_array

RECURRENT = ("RNN", "LSTM", "GRU")
_LIMIT = 2**26  # elements that are computed beside those of the weights
Array = NDArray[Any]


def _elements(inputs: list[Array | None]) -> int:
    return sum(one.size for one in inputs if one is not None)


def _shape(k: int) -> Callable[[list[Array | None]], int]:
    """Return what reads how many elements an operator makes off one of its inputs."""

    def claimed(inputs: list[Array | None]) -> int:
        shape = inputs[k]
        sizes = [] if shape is None else [max(1, abs(int(size))) for size in shape.ravel()]
        return math.prod(sizes) * max(1, _elements(inputs[:k]))

    return claimed


# Operator → how many elements it makes at most, so that a small file cannot ask for much.
MOVES: dict[str, Callable[[list[Array | None]], int]] = {
    **dict.fromkeys(
        (
            "Identity", "Cast", "Dropout", "Transpose", "Squeeze", "Unsqueeze", "Reshape",
            "Flatten", "Concat", "Slice", "Split", "Shape", "Size", "ReduceSum", "ReduceMean",
            "ReduceProd", "Constant",
        ),
        _elements,
    ),
    "ConstantOfShape": _shape(0),
    "Expand": _shape(1),
    "Gather": lambda inputs: math.prod(one.size for one in inputs if one is not None),
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div"),
        lambda inputs: math.prod(one.size for one in inputs if one is not None),
    ),
}  # fmt: skip


def is_known(node: Any) -> bool:
    """Return whether a node moves values about, or is a recurrent one."""
    return is_recurrent(node) or (not node.domain and node.op_type in MOVES)


def is_recurrent(node: Any) -> bool:
    """Return whether a node is one of ONNX's own RNN, LSTM and GRU."""
    return not node.domain and node.op_type in RECURRENT


class Values:
    """The values of a graph that follow from its constants and from known numbers.

    Args:
        model: a ModelProto.
        beside: the folder of its file, if it is one.
        given: arrays by name, which take the place of inputs and initializers.
        sequence: what stands in the place of an input, by its name.
        wanted: the nodes that matter, in the order of the graph.
        probe: what a recurrent node's outputs are to be, by name, or None for unknown.

    Attributes:
        known: arrays by name.
        probed: the names of those that are made of a probe, and so are no constants.
        why: for other names, what keeps them from being known: an input's name, or a node.

    Raises:
        ModelFileError: a tensor is damaged, or the constants would take too much memory.
    """

    def __init__(
        self,
        model: Any,
        beside: Beside | None,
        given: Mapping[str, Any],
        sequence: Mapping[str, Array],
        wanted: list[Any],
        probe: Callable[[Any, "Values"], Mapping[str, Array] | None],
    ) -> None:
        self._beside, self._evaluator = beside, importlib.import_module("onnx.reference")
        self._opsets = {one.domain: one.version for one in model.opset_import}
        names = {name for node in wanted for name in node.input}
        self.known: dict[str, Array] = {**arrays(model, beside, names, given), **sequence}
        self.probed = set(sequence)
        self.why: dict[str, Any] = {
            one.name: one.name for one in model.graph.input if one.name not in self.known
        }
        self._left = _LIMIT + 4 * _elements(list(self.known.values()))
        for node in wanted:
            if not is_recurrent(node):
                self._evaluate(node)
            elif (outputs := probe(node, self)) is not None:
                self.known |= outputs
                self.probed |= outputs.keys()
                self.why |= dict.fromkeys(outputs, node)
            else:
                self.why |= dict.fromkeys(node.output, node)

    def get(self, name: str) -> Array | None:
        """Return a value, None where it is not known."""
        return self.known.get(name)

    def constant(self, name: str) -> Array | None:
        """Return a value that no probe has a part in, None where there is no such."""
        return None if name in self.probed else self.known.get(name)

    def origin(self, name: str) -> str:
        """Return in words what a value is that is no constant."""
        why = self.why.get(name, name)
        if isinstance(why, str):
            return "an input of the model" if why in self.why else "nothing that the model has"
        return f"computed by {label(why)}"

    def is_given(self, name: str) -> bool:
        """Return whether a value is an input of the model, laid out anew or as it is."""
        return isinstance(self.why.get(name), str)

    def _evaluate(self, node: Any) -> None:
        unknown = [name for name in node.input if name and name not in self.known]
        if unknown or not is_known(node):
            reason = self.why.get(unknown[0], unknown[0]) if unknown and is_known(node) else node
            self.why |= dict.fromkeys(node.output, reason)
            return
        inputs = [self.known[name] if name else None for name in node.input]
        self._left -= MOVES[node.op_type](inputs)
        if self._left < 0:
            raise ModelFileError(f"the model computes too much at {label(node)} to be read")
        try:
            with np.errstate(all="ignore"):
                results = self._results(node, inputs)
        except PenstockError:
            raise
        except Exception:  # whatever NumPy says of values that do not fit, as a probe's may not
            self.why |= dict.fromkeys(node.output, node)
            return
        made = {n: np.asarray(v) for n, v in zip(node.output, results, strict=False) if n}
        self.known |= made
        if self.probed.intersection(node.input) and node.op_type not in ("Shape", "Size"):
            self.probed |= made.keys()
            self.why |= dict.fromkeys(made, node)

    def _results(self, node: Any, inputs: list[Array | None]) -> list[Any]:
        if node.op_type == "Constant":
            tensors = [one.t for one in node.attribute if one.name == "value"]
            if tensors:
                return [to_array(tensors[0], self._beside)]
        run = self._evaluator.ReferenceEvaluator(node, opsets=self._opsets)
        named = {n: v for n, v in zip(node.input, inputs, strict=True) if n}
        results: list[Any] = run.run(None, named)
        return results


def label(node: Any) -> str:
    """Return a node's operator and name; a node without one goes by what it gives."""
    operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return f"{operator} {name_of(node)!r}"


def name_of(node: Any) -> str:
    """Return a node's name, or that of its first output."""
    return str(node.name) or key_of(node)


def key_of(node: Any) -> str:
    """Return the name of a node's first output, which no other node of the graph gives."""
    return str(next(filter(None, node.output), ""))


def needed(graph: Any, targets: set[str]) -> list[Any]:
    """Return the nodes on which values depend, in the order of the graph."""
    names, found = set(targets), []
    for node in reversed(graph.node):
        if names.intersection(filter(None, node.output)):
            found.append(node)
            names.update(node.input)
    return found[::-1]
