"""FLOPs of nodes, the one definition: a multiply-add is 2, any other op 1 for each number.

tanh, σ and exp are 1 too. What is read, and a number written into every feature, is none.
"""

from collections.abc import Callable, Iterable
from typing import Any

from penstock.compiler.ir.graph import Graph
from penstock.compiler.ir.ops import OPS

Size = Callable[[str], Any]  # a width → a number, or a symbol


def flops(graph: Graph[Any], nodes: Iterable[int], size: Size) -> tuple[Any, Any]:
    """Return the FLOPs of one row of some nodes: of the matrix products, and of all else."""
    products, elementwise = size("1") * 0, size("1") * 0
    for node in (graph.nodes[k] for k in nodes):
        widths = [graph.nodes[a].width for a in node.args]
        if node.op == "linear":
            products += sum(product_flops(node.width, width, size) for width in widths)
        elif not node.is_input and node.op != "expand":
            elementwise += size(widths[0] if OPS[node.op].rowwise else node.width)
    return products, elementwise


def product_flops(rows: str, columns: str, size: Size) -> Any:
    """Return the FLOPs of one vector times a matrix of these widths, or of its gradient."""
    return 2 * size(rows) * size(columns)
