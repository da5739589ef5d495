"""How a step is cut into stages, at the places where whole rows have to be waited for.

A stage runs over the columns of one width. Its products read whole rows of values that earlier
stages, or the step before, left in memory; its body is elementwise in the same columns. So columns
can be shared among threads, which meet between stages alone.
"""

from collections.abc import Iterable
from typing import Any

from penstock.compiler.ir.graph import Graph
from penstock.compiler.ir.levels import Levels
from penstock.compiler.ir.plan import Group, Stage


def cut(graph: Graph[Any], put_away: Iterable[int]) -> tuple[Stage, ...]:
    """Return the stages of a step, in their order.

    put_away: nodes that are stored; an input among them has to pass through a stage too.

    The reset-before GRU's U_n reads whole rows of r ⊙ h, so r, which is made column by column,
    has to be there first::

        stage 0   products U_r h, U_z h         r = σ(…)  z = σ(…)  r ⊙ h
                  ─────────────── all columns of r ⊙ h are there ───────────────
        stage 1   product U_n (r ⊙ h)           n = tanh(…)  h' = (1 − z) ⊙ n + z ⊙ h

    The LSTM is one stage. At one level come first the products whose rows are reduced (layer
    norm), then numbers a row, then what is as wide as a state.
    """
    levels, kept = Levels(graph), {*put_away}
    members: dict[tuple[int, int, str], list[int]] = {}
    for k, node in enumerate(graph.nodes):
        if not node.is_input or k in kept:
            turn = 0 if k in levels.bare else 1 if node.width == "1" else 2
            for level in levels.homes[k]:
                members.setdefault((level, turn, node.width), []).append(k)
    return tuple(_stage(graph, members[key]) for key in sorted(members))


def _stage(graph: Graph[Any], members: list[int]) -> Stage:
    """Return a stage; products of the same values are made together, by one walk over them."""
    groups: dict[tuple[tuple[int, bool], ...], list[int]] = {}
    for k in members:
        node = graph.nodes[k]
        if node.op == "linear":
            layouts = [w.transposed for w in node.weights]
            groups.setdefault(tuple(zip(node.args, layouts, strict=True)), []).append(k)
    body = tuple(k for k in members if graph.nodes[k].op != "linear")
    width = graph.nodes[members[0]].width
    made = (Group(tuple(n), tuple(arg for arg, _ in terms)) for terms, n in groups.items())
    return Stage(width, tuple(made), body)
