"""Makes Penstock's operators known as soon as both penstock and torch are imported.

torch.export.load needs that, and must not wait for a layer; yet `import penstock` must not import
torch, which takes seconds. Where torch is there, they are registered at once, else at the end of
`import torch`. (torch's entry point for extensions would run in every process that imports torch,
whether it uses penstock or not.) So is what they are in ONNX, at the end of the import of that
module of onnxscript in which torch.onnx.export looks for it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# What to import after a module; it imports that module and nothing of ours, whoever is half loaded.
_AFTER = {
    "torch": "penstock.layers.running.operator",
    "onnxscript.function_libs.torch_lib.registration": "penstock.exporters.onnx.registered",
}


def register_operators() -> None:
    """Register them now, or when what needs them is imported."""
    for name, ours in _AFTER.items():
        if name in sys.modules:
            importlib.import_module(ours)
        else:
            sys.meta_path.insert(0, _After(name))


class _After(MetaPathFinder):
    """Stands before the other finders until one module is looked for, and finds nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the module's own spec, with a loader that registers the operators at its end."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            importlib.import_module(_AFTER[name])

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
