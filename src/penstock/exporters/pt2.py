"""A program of torch.export (.pt2), with the number of steps T and of rows B free.

A sweep of a layer is one operator of Penstock's in it, which `import penstock` makes known. With
``equations=True`` it is torch's own loop over the cell's equations instead, and torch alone loads
the file. With ``package=True`` the file is not a program but the library that AOTInductor compiles
of it, for machines like this one.

Legend: T time, B batch, I input.
"""

import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._inductor import cpp_builder
from torch.export import Dim, ExportedProgram, ShapesCollection
from torch.utils._pytree import tree_leaves

from penstock.atomic import replacing
from penstock.cells import is_shipped
from penstock.errors import ArgumentError, ExportError, PenstockError
from penstock.exporters.module import whole
from penstock.exporters.written import check_hooks
from penstock.layers.recurrent import Recurrent
from penstock.layers.running import native
from penstock.layers.running.scanned import scanned

SUFFIX = ".pt2"

_T, _B = 5, 3  # of the input that a layer is read with: neither 0 nor 1, which torch.export fixes
_ABOUT = "penstock.txt"  # beside the program in the file: its inputs and outputs, in words

Result = TypeVar("Result")


@dataclass(frozen=True)
class Invocation:
    """What torch.export is to read.

    Attributes:
        module: that is called.
        arguments, keywords: what with.
        free: the sizes that may be others, by dimension of each tensor of the arguments and then
            of the keywords; None: all that the module does not depend on.
        outputs: names of what it gives, as far as they are known.
    """

    module: nn.Module
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    free: Sequence[Mapping[int, str]] | None = None
    outputs: tuple[str, ...] = ()


def write(
    module: Any,
    path: Path,
    example: Any = None,
    *,
    equations: bool = False,
    package: bool = False,
) -> None:
    """Write a layer, a module that holds one, or a trained model; as it is in evaluation.

    ``torch.export.load(path).module()(x)`` then gives what the layer gives, its output and its
    final state, and of a trained model what `penstock.exporters.module` says.

    Args:
        module: a `penstock.Recurrent`, any other torch.nn.Module, or a model of `penstock.load`.
        path: the file.
        example: of a module that is no layer of Penstock's: the input, a tuple of inputs, or a
            dict of them by name. Sizes that the module does not depend on are free; one that is 0
            or 1 here is fixed, as torch.export has it.
        equations: write the cell's equations, of torch's own ops, so that the file is loaded
            without Penstock; it then runs at the speed of a loop in Python. A cell of one's own is
            always written so, and so are weights that no kernel takes (those of other types than
            float32 and float64, or not on a CPU).
        package: compile the program by AOTInductor, for `torch._inductor.aoti_load_package`. It
            needs a C++ compiler here, and none where the file is loaded; the loop of the equations
            is then one in C++.

    Raises:
        ArgumentError: module or example are none.
        ExportError: torch.export cannot read the module, or it has hooks, or there is no compiler.
    """
    call = _call(module, example)
    check_hooks(call.module)
    if package:
        _check_compiler()
    layers = [one for one in call.module.modules() if isinstance(one, Recurrent)]
    by_equations = equations or not all(map(_has_operator, layers))
    with _at_rest(call.module), scanned() if by_equations else nullcontext():
        program = _tried(call, lambda: _program(call))
        save = _package if package else _save
        with replacing(path) as temporary:
            _tried(call, lambda: save(program, temporary, _words(program, call)))


def describe(path: Path) -> str:
    """Return the inputs and outputs of a file that `write` wrote, in words."""
    with zipfile.ZipFile(path) as file:
        names = [name for name in file.namelist() if name.endswith(_ABOUT)]
        return file.read(names[0]).decode() if names else ""


def _call(module: Any, example: Any) -> Invocation:
    if isinstance(module, nn.Module):
        return _layer_call(module) if example is None else _example_call(module, example)
    network = getattr(module, "network", None)
    if not isinstance(network, nn.Module):
        raise ArgumentError(
            f"module is a {type(module).__name__}; give a torch.nn.Module, such as a "
            "penstock.Recurrent, or a model that penstock.load gave"
        )
    if example is not None:
        raise ArgumentError("a trained model knows its inputs; leave example out")
    one = whole(network, module.about)
    inputs, alone = one.inputs, len(one.inputs) == 1
    arguments = tuple(inputs.values()) if alone else ()  # several are given by name
    return Invocation(
        one.module, arguments, {} if alone else inputs, [*one.free.values()], (one.output,)
    )


def _layer_call(layer: nn.Module) -> Invocation:
    if not isinstance(layer, Recurrent):
        raise ArgumentError(
            f"{type(layer).__name__} is no layer of Penstock's, so what it reads is not known; "
            "give an input as example, all of whose sizes but the features are above 1: "
            "penstock.export(module, path, torch.zeros(5, 3, 8))"
        )
    like = next(layer.parameters(), torch.empty(0))
    sizes = (_B, _T) if layer.batch_first else (_T, _B)
    free = {0: "B", 1: "T"} if layer.batch_first else {0: "T", 1: "B"}
    x = torch.zeros(*sizes, layer.input_size, dtype=like.dtype, device=like.device)
    return Invocation(layer, (x,), free=[free], outputs=("output", *layer.cell.states))


def _example_call(module: nn.Module, example: Any) -> Invocation:
    if isinstance(example, Tensor):
        return Invocation(module, (example,))
    if isinstance(example, tuple):
        return Invocation(module, example)
    if isinstance(example, dict):
        return Invocation(module, (), example)
    raise ArgumentError(
        f"example is a {type(example).__name__}; give a tensor, a tuple of the module's arguments, "
        "or a dict of them by name"
    )


def _has_operator(layer: Recurrent) -> bool:
    """Whether another process can run a layer by the operator's name, after `import penstock`."""
    return is_shipped(type(layer.cell)) and all(map(native.has_kernels_for, layer.parameters()))


def _program(call: Invocation) -> ExportedProgram:
    shapes, keywords = ShapesCollection(), dict(call.keywords)  # type: ignore[no-untyped-call]
    for k, tensor in enumerate(_tensors(call)):
        if call.free is None:
            shapes[tensor] = dict.fromkeys(range(tensor.ndim), Dim.AUTO)
        else:
            shapes[tensor] = dict.fromkeys(call.free[k], Dim.DYNAMIC)
    free = shapes.dynamic_shapes(call.module, call.arguments, keywords)  # type: ignore[no-untyped-call]
    return torch.export.export(
        call.module, call.arguments, keywords, dynamic_shapes=free, strict=False
    )


def _tensors(call: Invocation) -> list[Tensor]:
    leaves = tree_leaves((call.arguments, dict(call.keywords)))
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def _save(program: ExportedProgram, path: Path, words: str) -> None:
    program.example_inputs = None  # somebody's data
    with path.open("wb") as file:  # a name would have to end in .pt2
        torch.export.save(program, file, extra_files={_ABOUT: words})


def _package(program: ExportedProgram, path: Path, words: str) -> None:
    with TemporaryDirectory(prefix="penstock-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own matters
        made = torch._inductor.aoti_compile_and_package(
            program, package_path=str(Path(folder) / f"package{SUFFIX}")
        )
        shutil.copyfile(made, path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{file.namelist()[0].partition('/')[0]}/extra/{_ABOUT}", words)


def _check_compiler() -> None:
    """Raise unless there is a C++ compiler, as AOTInductor finds it.

    Raises:
        ExportError: there is none; the message says what can be had without.
    """
    try:
        cpp_builder.get_cpp_compiler()
    except Exception as error:
        raise ExportError(
            "package=True compiles the program, and there is no C++ compiler here (Debian: apt "
            "install g++; or name one in CXX). Without package=True a file is written that needs "
            "none, here or where it is loaded"
        ) from error


@contextmanager
def _at_rest(module: nn.Module) -> Iterator[None]:
    """Have a module as it is in evaluation, its parameters without gradients; then as it was."""
    modes = [(one, one.training) for one in module.modules()]
    wanted = [(one, one.requires_grad) for one in module.parameters()]
    module.eval()
    try:
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        with torch.no_grad():
            yield
    finally:
        for one, training in modes:
            one.training = training
        for parameter, requires in wanted:
            parameter.requires_grad_(requires)


def _tried(call: Invocation, work: Callable[[], Result]) -> Result:
    """Return what a piece of work does; an error of torch's says what could not be exported."""
    try:
        return work()
    except (PenstockError, OSError):
        raise
    except Exception as error:
        name, reason = type(call.module).__name__, str(error).strip().partition("\n")[0]
        raise ExportError(
            f"torch.export cannot write {name} ({type(error).__name__}: {reason[:300]})"
        ) from error


def _words(program: ExportedProgram, call: Invocation) -> str:
    """Return inputs and outputs, such as "x [T, B, 8] → output [T, B, 64], h [1, B, 64]"."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    signature = program.graph_signature
    read = [(name, values.get(str(name))) for name in signature.user_inputs]
    given = [(str(name), value) for name, value in read if isinstance(value, Tensor)]
    letters = {
        str(value.shape[d]): letter
        for (_, value), free in zip(given, call.free or (), strict=False)
        for d, letter in free.items()
    }
    made = [values.get(str(name)) for name in signature.user_outputs]
    names = [*call.outputs, *(f"output {k + 1}" for k in range(len(call.outputs), len(made)))]
    told = [(n, v) for n, v in zip(names, made, strict=False) if isinstance(v, Tensor)]
    return " → ".join(
        ", ".join(f"{name} {_shape(value, letters)}" for name, value in side)
        for side in (given, told)
    )


def _shape(tensor: Tensor, letters: Mapping[str, str]) -> str:
    """Return a shape in brackets; free sizes are letters, or torch's symbols as they are."""
    return f"[{', '.join(letters.get(str(size), str(size)) for size in tensor.shape)}]"
