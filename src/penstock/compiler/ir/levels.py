"""Graph → when a step computes each of its nodes, and which lie in memory.

A step is cut where whole rows have to be waited for. Of the reset-before GRU::

    level 0    r = σ(lifted r + U_r h)      r ⊙ h
               ───────── all of a row of r ⊙ h has to be there ─────────
    level 1    n = tanh(lifted n + U_n (r ⊙ h))      h' = (1 − z) ⊙ n + z ⊙ h

z could be computed at level 0 or at 1. What is cheap is computed where it is needed rather than
put away and read again, for a step is bound by memory and not by arithmetic.
"""

from typing import Any

from penstock.compiler.ir.graph import Graph, Node
from penstock.compiler.ir.ops import OPS

CHEAP = ("add", "sub", "mul", "neg")
_AGAIN = 3  # cheap ops in a row that are done again rather than their result handed on


def reads_rows(node: Node) -> bool:
    """Return whether a node needs whole rows of what it reads."""
    return node.op == "linear" or (not node.is_input and OPS[node.op].rowwise)


class Levels:
    """When a step computes what. A node's level is how many times whole rows are waited for first.

    first: the level at which a node is computed. bare: the products that stand in a stage of
    their own, because whole rows of what they give are needed. homes: all levels of a node; what
    is cheap and made of what lies in memory is computed wherever needed, rather than handed on.
    """

    def __init__(self, graph: Graph[Any]) -> None:
        self.nodes, self.users, self.ends = graph.nodes, graph.users(), {*graph.outputs.values()}
        self.first = self._earliest()
        self.bare = self._bare()
        self.in_memory = self._in_memory()
        # A product that is read by columns alone, and what is elementwise of what lies in memory,
        # are computed as late as they can be: beside who reads them, in the same pass.
        for k in reversed(range(len(self.nodes))):
            waits = self.nodes[k].op == "linear" and k not in self.bare
            if (waits or self.in_memory[k]) and self.users[k]:
                self.first[k] = min(self._needed(k))
        self.homes = self._homes()

    def last_read(self, k: int) -> int:
        """Return the last level at which a node's value is read, 1 more if by rows."""
        return max(max(self.homes[u]) + reads_rows(self.nodes[u]) for u in self.users[k])

    def _needed(self, k: int) -> list[int]:
        return [self.first[u] - reads_rows(self.nodes[u]) for u in self.users[k]]

    def _earliest(self) -> list[int]:
        """Return the first level at which all is there that a node reads."""
        levels: list[int] = []
        for node in self.nodes:
            wait = 1 if reads_rows(node) else 0
            ready = [levels[a] + (0 if self.nodes[a].is_input else wait) for a in node.args]
            levels.append(max(ready, default=0))
        return levels

    def _bare(self) -> set[int]:
        """Return the products of which a row is reduced, at once or after elementwise ops.

        Layer norm: U h has to be put away whole before its mean is known::

            U h (bare, in memory) ── Σ ── mean ── (U h − mean) ⊙ scale     U h is read again
        """
        reduced = [False] * len(self.nodes)  # what follows from it at the same level is
        for k in reversed(range(len(self.nodes))):
            for u in self.users[k]:
                user = self.nodes[u]
                reduces = reads_rows(user) and user.op != "linear"
                reduced[k] |= reduces or (reduced[u] and self.first[u] == self.first[k])
        return {k for k, node in enumerate(self.nodes) if node.op == "linear" and reduced[k]}

    def _in_memory(self) -> list[bool]:
        """Return for each node whether it is elementwise, and made of what lies in memory alone.

        Inputs and bare products, which lie there themselves, are not.
        """
        made: list[bool] = []
        for k, node in enumerate(self.nodes):
            lies = node.is_input or k in self.bare
            elementwise = not reads_rows(node) and node.width != "1"
            wide = [a for a in node.args if self.nodes[a].width != "1"]
            made.append(lies or (elementwise and all(made[a] for a in wide)))
        return [m and not (self.nodes[k].is_input or k in self.bare) for k, m in enumerate(made)]

    def _homes(self) -> list[set[int]]:
        """Return for each node the levels that compute it: where its users are, if it is cheap.

        Of a = lifted f + p ⊙ c, read at levels 0 and 1, both compute a; σ(a) is handed on.
        """
        costs: list[int] = []
        for k, node in enumerate(self.nodes):
            own = sum(costs[a] for a in node.args if self.nodes[a].width != "1")
            costs.append(1 + own if self.in_memory[k] else 0)
        homes = [{level} for level in self.first]
        for k in reversed(range(len(homes))):
            cheap = self.nodes[k].op in CHEAP and costs[k] <= _AGAIN and self.in_memory[k]
            # What is put away is so once; where a maximum was is asked for to the last bit.
            once = k in self.ends or any(self.nodes[u].op == "amax" for u in self.users[k])
            if cheap and not once:
                for u in self.users[k]:
                    waits = reads_rows(self.nodes[u])
                    homes[k] |= {self.first[u] - 1} if waits else homes[u]
        return homes
