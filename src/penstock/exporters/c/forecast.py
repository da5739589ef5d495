"""A forecaster in C: one function from the past of a series to what comes.

Legend: n values, L of them read, P and K columns beside (known up to the present, and ahead),
h steps ahead, Q quantiles.
"""

from collections.abc import Iterator

from penstock.exporters.c.arrays import ArrayPool
from penstock.exporters.c.files import CFunction
from penstock.exporters.c.function import Body, indented
from penstock.exporters.c.gather import gather
from penstock.exporters.c.model import LAST, listed, places_of, reading, scaled
from penstock.exporters.c.network import State
from penstock.exporters.c.schedule import schedule
from penstock.exporters.c.values import GivenValue, Maker, StepValues
from penstock.exporters.whole import Forecasting, Numbers

_SCALING = """double sum = 0.0, squares = 0.0, most = 0.0;
for (int i = 0; i < n; ++i) sum += values[i];
const double mean = sum / n;
for (int i = 0; i < n; ++i) {
  const double off = values[i] - mean, size = fabs((double)values[i]);
  squares += off * off;
  most = size > most ? size : most;
}
const double deviation = sqrt(squares / n), unit = deviation > 1e-12 * most ? deviation : 0.0;
const double last = (values[n - 1] - mean) / (unit > 0.0 ? unit : 1.0);"""


def forecast_functions(
    model: Forecasting, states: tuple[State, ...], pool: ArrayPool, int8: bool, separate: bool
) -> tuple[tuple[CFunction, ...], int]:
    """Return the functions of a forecaster, and the floats of the stack that they take."""
    body = Body(schedule(reading(model.network)), places_of(states) | {"x": "x"}, pool, int8)
    read = CFunction("read", ("const float *x",), "", tuple(body.lines), private=True)
    lines, scratch = _forecast(model, pool, "w, " if separate else "")
    beside = [n for n, one in (("past", model.past), ("known", model.known)) if one is not None]
    forecast = CFunction(
        "forecast",
        ("const float *values", "int n", *(f"const float *{b}" for b in beside), "float *y"),
        _says(model),
        tuple(lines),
        state="",
    )
    width = sum(state.width for state in states)
    return (read, forecast), body.scratch + scratch + width


def forecast_title(model: Forecasting) -> Iterator[str]:
    """Yield lines that say what the columns beside are."""
    yield f"The model {model.name!r} of the task forecast."
    for what, numbers in (("past", model.past), ("known", model.known)):
        if numbers is not None:
            yield from listed(f"Columns of {what}", numbers.names)


def _says(model: Forecasting) -> str:
    quantiles = ", ".join(f"{q:g}" for q in model.quantiles)
    said = (
        f"From n values of a series, P_CONTEXT or more and none missing, in their own unit, to the "
        f"next P_HORIZON: y [P_HORIZON][P_QUANTILES], the quantiles {quantiles} of each."
    )
    if model.past is not None:
        said += f"\npast [n][{len(model.past.names)}]: the columns beside each value."
    if model.known is not None:
        said += f"\nknown [n + P_HORIZON][{len(model.known.names)}]: those known ahead."
    return said + ("\nNaN stands for what is missing there." if "beside" in said else "")


def _forecast(model: Forecasting, pool: ArrayPool, weights: str) -> tuple[list[str], int]:
    past = 0 if model.past is None else len(model.past.names)
    ahead = model.horizon if model.known is not None else 0
    width = model.network.input_size
    head = _head(model, pool)
    lines = [
        "P_state state;",
        f"float in[{width}];",
        *_SCALING.split("\n"),
        f"P_reset({weights}&state);",
        f"for (int t = 0; t < {model.read + ahead}; ++t) {{",
        f"  const int row = n - {model.read} + t;",
        f"  if (t < {model.read}) {{" if ahead else "  {",
        "    const float v = (float)((values[row] - mean) / (unit > 0.0 ? unit : 1.0));",
        "    in[0] = v - (float)last;",
        "    in[1] = tanhf(v);",
        *indented(_beside(model.past, "past", 2, pool), 2),
        "  }",
        *indented(_beside(model.known, "known", 2 + past, pool)),
        f"  P_read({weights}&state, in);",
    ]
    if ahead:
        lines += [f"  if (t < {model.read}) continue;", f"  const int k = t - {model.read};"]
        lines += [*indented([*head.lines, *_written("a", pool, model)]), "}"]
    else:
        lines += ["}", *head.lines, f"for (int k = 0; k < {model.horizon}; ++k) {{"]
        lines += [*indented(_written(f"a + {len(model.quantiles)} * k", pool, model)), "}"]
    return lines, head.scratch + len(model.head.bias) + width


def _beside(numbers: Numbers | None, name: str, place: int, pool: ArrayPool) -> list[str]:
    if numbers is None:
        return []
    source = f"{name}[row * {len(numbers.names)} + j]"
    return list(scaled(numbers, source, f"in[{place} + j]", pool))


def _head(model: Forecasting, pool: ArrayPool) -> Body:
    """Return lines that put the changes into the array a."""
    maker = Maker()
    o = maker.add(GivenValue(LAST, model.network.output_size, is_state=True))
    changes = maker.total([(o, model.head.weight)], model.head.bias)
    steps = StepValues(tuple(maker.values), {}, changes)
    body = Body(schedule(gather(steps)), {LAST: f"state.{LAST}"}, pool, output="a")
    body.lines.insert(0, f"float a[{len(model.head.bias)}];")
    return body


def _written(changes: str, pool: ArrayPool, model: Forecasting) -> list[str]:
    """Return lines that put a step's quantiles in order, widen them, and scale them back."""
    count = len(model.quantiles)
    wide = pool.add(model.widening, f"widening of each step's interval [{model.horizon}]")
    return [
        f"float *const z = {changes};",
        f"for (int i = 1; i < {count}; ++i)",
        "  for (int j = i; j > 0 && z[j] < z[j - 1]; --j) {",
        "    const float moved = z[j];",
        "    z[j] = z[j - 1];",
        "    z[j - 1] = moved;",
        "  }",
        f"for (int q = 0; q < {count}; ++q) {{",
        f"  const double out = q == 0 ? -{wide}[k] : q == {count - 1} ? {wide}[k] : 0.0f;",
        f"  y[k * {count} + q] = (float)((last + (double)z[q] + out) * unit + mean);",
        "}",
    ]
