"""The class of a recurrence, read off a cell's graph and its gradient."""

from dataclasses import dataclass
from typing import Any

from penstock.compiler.ir.graph import Graph, Origin, StepInput
from penstock.compiler.pipeline import Lowered


@dataclass(frozen=True)
class Recurrence:
    """How a step depends on the state before it.

    products: matrix products that a step has to make; those of one value for several gates are
    one. depth: how many of them wait for one another. linear: whether the new states are linear
    in the old ones, so that the gradient of a step does not depend on the state. A state that is
    made of the input alone is no recurrence: it counts as an input that comes a step late.
    """

    products: int
    depth: int
    linear: bool

    @property
    def name(self) -> str:
        """In two or three words."""
        if self.depth == 0:
            return "linear" if self.linear else "elementwise"
        if self.depth > 1:
            return f"chain of {self.depth}"
        return "1 product" if self.products == 1 else f"{self.products} products"

    @property
    def sentence(self) -> str:
        """In a sentence."""
        if self.depth == 0 and self.linear:
            return "linear in the state, elementwise: time can be walked in parallel, as a scan"
        if self.depth == 0:
            return "elementwise: no matrix product on the state, so that a step is cheap"
        linear = ", linear in the state" if self.linear else ""
        if self.depth > 1:
            return f"{self.depth} matrix products that wait for one another in every step{linear}"
        several = f"{self.products} matrix products, side by side,"
        return f"{'1 matrix product' if self.products == 1 else several} in every step{linear}"


def recurrence(lowered: Lowered) -> Recurrence:
    """Return the class of a cell's recurrence."""
    loop = lowered.plan.forward
    products = sum(len(stage.groups) for stage in loop.stages)
    late = _late(loop.graph)
    return Recurrence(products, _depth(loop.graph), _is_linear(lowered.backward.graph, late))


def _late(graph: Graph[str]) -> set[str]:
    """Return the states that hold an input of the step before."""
    needs: list[set[str]] = []
    for node in graph.nodes:
        own = {str(node.name)} if node.op == Origin.STATE else set[str]()
        needs.append(own.union(*(needs[a] for a in node.args)))
    return {state for state, k in graph.outputs.items() if not needs[k]}


def _depth(graph: Graph[Any]) -> int:
    """Return how many products of the state wait for one another."""
    depths: list[int | None] = []  # None: does not depend on the state
    for node in graph.nodes:
        before = [d for a in node.args if (d := depths[a]) is not None]
        if node.op == Origin.STATE:
            depths.append(0)
        else:
            depths.append(max(before) + (node.op == "linear") if before else None)
    return max((d for k in graph.outputs.values() if (d := depths[k]) is not None), default=0)


def _is_linear(gradient: Graph[StepInput], late: set[str]) -> bool:
    """Return whether no gradient of an old state depends on a state; those in `late` are inputs."""
    depends: list[bool] = []
    for node in gradient.nodes:
        is_state = node.op == Origin.STATE and node.name not in late
        depends.append(is_state or any(depends[a] for a in node.args))
    gradients = {x.name: k for x, k in gradient.outputs.items() if x.origin is Origin.STATE}
    return not any(depends[k] for state, k in gradients.items() if state not in late)
