"""The plan as a compiled kernel on the CPU: `source` and `body` write it, `kernel` calls it."""

from penstock.compiler.backends.c.kernel import CKernel, CLoop, prepare

name = "c"
needs_compiler = True

__all__ = ["CKernel", "CLoop", "name", "needs_compiler", "prepare"]
