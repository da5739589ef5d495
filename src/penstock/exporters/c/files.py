"""The text of the two files: what every network's C has around its own functions."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock._version import __version__
from penstock.errors import ArgumentError
from penstock.exporters.c.arrays import Array, ArrayPool, definition
from penstock.exporters.c.function import indented
from penstock.exporters.c.functions import FUNCTIONS, written_functions
from penstock.exporters.c.network import State


@dataclass(frozen=True)
class CFunction:
    """A function of the C.

    Attributes:
        name: what stands behind the file's name, "step".
        parameters: after the weights and the state.
        says: what it does, in the header.
        lines: its body.
        state: "net_state *", "const net_state *" or "" as it takes one; `P_` is the file's name.
        private: whether it stands in the source alone.
    """

    name: str
    parameters: tuple[str, ...]
    says: str
    lines: tuple[str, ...]
    state: str = "P_state *"
    private: bool = False


@dataclass(frozen=True)
class CSource:
    """All that the two files say.

    Attributes:
        prefix: the file's name as C has it.
        title: what the network is, in lines.
        sizes: macros, with what they are.
        states: of the network.
        functions: in the order of the header, but for reset and load.
        pool: its numbers.
        separate: whether they stand in a file of their own.
        scratch: floats that a call takes of the stack.
    """

    prefix: str
    title: tuple[str, ...]
    sizes: tuple[tuple[str, int, str], ...]
    states: tuple[State, ...]
    functions: tuple[CFunction, ...]
    pool: ArrayPool
    separate: bool
    scratch: int


def identifier(path: Path) -> str:
    """Return a file's name as C has it: other signs become "_", before a digit stands "net_".

    Raises:
        ArgumentError: nothing is left of it, or C could not include a header of that name.
    """
    if re.search(r'["\\\n]', path.stem):
        raise ArgumentError(f"C cannot include a header named as {path.name!r}; give another name")
    name = re.sub(r"[^0-9A-Za-z]+", "_", path.stem).strip("_")
    if not name:
        raise ArgumentError(
            f"the functions are named by the file, and {path.name!r} has no letter or digit; "
            "give a name such as net.c"
        )
    return f"net_{name}" if name[0].isdigit() else name


def header(source: CSource, stem: str) -> str:
    """Return the text of the header; stem: of the files."""
    guard = f"{source.prefix.upper()}_H"
    width = sum(state.width for state in source.states)
    about = [*source.title, *_memory(source, width)]
    if source.prefix != stem:
        about.append(f'In C "{stem}" is called {source.prefix}.')
    if source.separate:
        about += ["", *_layout(source, stem)]
    macros = [*source.sizes, ("STATES", width, "floats of the state")]
    fields = [f"  float {s.name}[{s.width}]; /* {s.title} */" for s in source.states]
    text = [
        _comment(about),
        f"#ifndef {guard}\n#define {guard}\n",
        *(["#include <stddef.h>\n#include <stdint.h>\n"] if source.separate else []),
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        *(f"#define {source.prefix.upper()}_{n} {v} /* {what} */" for n, v, what in macros),
        "",
        "typedef struct {",
        *(fields or ["  char none; /* the network has no state */"]),
        "} P_state;\n",
        *([_LOADING] if source.separate else []),
        *(f"{_said(f)}\n{_signature(source, f)};\n" for f in source.functions if not f.private),
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
    ]
    return _named("\n".join(text), source.prefix)


def code(source: CSource, stem: str) -> str:
    """Return the text of the source."""
    bodies = "\n".join(line for f in source.functions for line in f.lines)
    used = [name for name in FUNCTIONS if f"P_{name}(" in bodies]
    restrict = "#ifdef __cplusplus\n#define P_RESTRICT __restrict\n#else\n"
    restrict += "#define P_RESTRICT restrict\n#endif\n"
    text = [
        _comment([*source.title[:1], f"{stem}.h says what there is."]),
        f'#include "{stem}.h"\n',
        "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n",
        *([restrict, _LOAD.replace("LAYOUT", f"{source.pool.layout}u")] if source.separate else []),
        *([] if source.separate else map(definition, source.pool.arrays)),
        written_functions(used) + "\n" if used else "",
        *(_definition(source, f) for f in source.functions),
    ]
    text = [_counted(t, source) for t in text]
    return _named("\n".join(t for t in text if t), source.prefix)


def _said(function: CFunction) -> str:
    """Return what a function does, as a comment."""
    lines = [line for part in function.says.split("\n") for line in textwrap.wrap(part, width=96)]
    return "/* " + "\n * ".join(lines) + " */"


def _memory(source: CSource, width: int) -> list[str]:
    kind = f"{source.pool.size} bytes of weights, {4 * width} of state"
    return [f"Memory: {kind}, about {4 * source.scratch} of stack in a step."]


def _definition(source: CSource, function: CFunction) -> str:
    lines = [*_pointers(source, function), *function.lines]
    names = ["x", *(["s"] if function.state else []), *(["w"] if source.separate else [])]
    given = [n for n in names if n != "x" or any(p.endswith("*x") for p in function.parameters)]
    lines = [*(f"(void){n};" for n in given if not _mentions(lines, n)), *lines]
    body = "\n".join(indented(lines))
    return f"{_signature(source, function, restrict=source.separate)} {{\n{body}\n}}\n"


def _mentions(lines: Iterable[str], name: str) -> bool:
    return any(re.search(rf"\b{name}\b", line) for line in lines)


def _pointers(source: CSource, function: CFunction) -> list[str]:
    """Return lines that say where a function's weights lie, where they are no constants."""
    if not source.separate:
        return []
    text = "\n".join(function.lines)
    used = {*re.findall(rf"\b{source.prefix}_w\d+\b", text)}
    return [
        f"const {a.ctype} *const {a.name} = w->{'bytes' if a.is_int8 else 'floats'} + {place};"
        for a, place in source.pool.offsets()
        if a.name in used
    ]


def _signature(source: CSource, function: CFunction, restrict: bool = False) -> str:
    mark = "P_RESTRICT " if restrict else ""
    parameters = list(function.parameters)
    if function.state:
        parameters.insert(0, f"{function.state}{mark}s")
    if source.separate:
        parameters.insert(0, f"const P_weights *{mark}w")
    kind = "static void" if function.private else "void"
    return f"{kind} P_{function.name}({', '.join(parameters)})"


def _layout(source: CSource, stem: str) -> list[str]:
    """Return what the file of weights holds, in lines."""

    def line(array: Array, place: int) -> str:
        return f"  {array.ctype:6} {place:>9}  {array.values.size:>9}  {array.name}: {array.what}"

    return [
        f"{stem}.weights, little-endian: a head of 32 bytes (the letters PENSTOCK; the uint32",
        "0x01020304, the layout's number, how many floats and how many int8 there are, the",
        "Adler-32 of what follows, 0), then all floats, then all int8:",
        "  type       place      count  name",
        *(line(array, place) for array, place in source.pool.offsets()),
    ]


def _comment(lines: Sequence[str]) -> str:
    words = [line.replace("*/", "* /").replace("/*", "/ *") for line in lines]
    made = f"Made by Penstock {__version__}."
    return "/* " + "\n".join(f" * {line}".rstrip() for line in [*words, made])[3:] + "\n */"


def _counted(text: str, source: CSource) -> str:
    floats = sum(a.values.size for a in source.pool.of_floats())
    counts = {"FLOATS": floats, "BYTES": sum(a.values.size for a in source.pool.of_bytes())}
    return re.sub(r"\bP_(FLOATS|BYTES)\b", lambda m: f"{counts[m[1]]}u", text)


def _named(text: str, prefix: str) -> str:
    return re.sub(r"\bP_(\w+)", lambda m: _macro(prefix, m[1]), text)


def _macro(prefix: str, name: str) -> str:
    return f"{prefix.upper() if name.isupper() else prefix}_{name}"


_LOADING = """/* The weights: they lie where the file was read to. */
typedef struct {
  const float *floats;
  const int8_t *bytes;
} P_weights;

/* Take the weights from the content of the file, which must stay where it is, at an address that
 * is a multiple of 4. Returns 0; or 1 if it is no such file or not whole, 2 if the address is no
 * multiple of 4, 3 if this machine orders bytes the other way, 4 if the file is of another network,
 * 5 if it was damaged. */
int P_load(P_weights *w, const void *data, size_t size);
"""
_LOAD = """int P_load(P_weights *w, const void *data, size_t size) {
  const unsigned char *const bytes = (const unsigned char *)data;
  const size_t floats = P_FLOATS, whole = P_BYTES, all = 32 + 4 * floats + whole;
  uint32_t head[6], low = 1, high = 0;
  if (size != all || memcmp(bytes, "PENSTOCK", 8) != 0) return 1;
  if ((uintptr_t)data % 4 != 0) return 2;
  memcpy(head, bytes + 8, sizeof head);
  if (head[0] != 0x01020304u) return 3;
  if (head[1] != LAYOUT || head[2] != floats || head[3] != whole) return 4;
  for (size_t n = 32; n < all; ++n) {
    low = (low + bytes[n]) % 65521u;
    high = (high + low) % 65521u;
  }
  if (head[4] != (high << 16 | low)) return 5;
  w->floats = (const float *)(const void *)(bytes + 32);
  w->bytes = (const int8_t *)(bytes + 32 + 4 * floats);
  return 0;
}
"""
