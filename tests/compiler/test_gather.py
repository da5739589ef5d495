"""Sums of products made as one, where the products of x stay in the loop."""

import pytest
import torch

import penstock
from penstock.cells import Place
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.ir.evaluate import evaluate
from penstock.compiler.passes.gather import gather

PLACES = {
    "lowest": Place(3, 4),
    "upper": Place(4, 4, False),
    "layer norm": Place(3, 4, True, Modifiers(layer_norm=True)),
}


def graph_at(name, place):
    return pipeline.modified(penstock.cells()[name](), PLACES[place])


def leaves(graph, sizes, draw):
    """Return a drawn value of each input of a graph, in float64."""
    found = {}
    for node in graph.nodes:
        if node.is_input and node.op not in ("const", "features"):
            rows = () if node.op == "vector" else (5,)
            found[node.leaf] = torch.randn(*rows, sizes[node.width], generator=draw).double()
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", penstock.cells())
def test_the_step_is_the_same(name, place):
    graph = graph_at(name, place)
    sizes = dict.fromkeys({n.width for n in graph.nodes}, 4) | {"1": 1, "hidden_size": 4}
    sizes["input_size"] = PLACES[place].input_size
    draw = torch.Generator().manual_seed(0)
    inputs, matrices = leaves(graph, sizes, draw), {}
    for node in (node for node in graph.nodes if node.op == "linear"):
        for weight, arg in zip(node.weights, node.args, strict=True):
            shape = sizes[node.width], sizes[graph.nodes[arg].width]
            turned = shape[::-1] if weight.transposed else shape
            matrices[weight] = torch.randn(*turned, generator=draw).double()
    before, after = (
        evaluate(one, inputs, sizes, matrices.__getitem__) for one in (graph, gather(graph))
    )
    assert before.keys() == after.keys()
    for state, value in before.items():
        torch.testing.assert_close(after[state], value, rtol=1e-11, atol=1e-11)


def test_of_the_lstm_four_products_are_left():
    graph = gather(graph_at("lstm", "lowest"))
    products = [node for node in graph.nodes if node.op == "linear"]
    assert [len(node.weights) for node in products] == [2, 2, 2, 2]


def test_a_product_that_something_else_reads_stays():
    """Layer norm reads each product of the gates by itself, and so do their rows' means."""
    graph = gather(graph_at("lstm", "layer norm"))
    assert all(len(node.weights) == 1 for node in graph.nodes if node.op == "linear")


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "scrn", "lem"])
@pytest.mark.parametrize("rows", [3, 4, 9])
def test_few_rows_and_many_give_what_the_equations_do(kind, rows):
    """From four rows on, the products of x are made in the loop."""
    torch.manual_seed(0)
    layer = penstock.Recurrent(kind, 5, 19, num_layers=2, bidirectional=True)
    x, lengths = torch.randn(7, rows, 5), torch.randint(1, 8, (rows,))
    reset = torch.rand(7, rows) < 0.2
    with torch.no_grad():
        found = layer(x, lengths=lengths, reset=reset)
        with penstock.backend("eager"):
            wanted = layer(x, lengths=lengths, reset=reset)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
