"""How terms are spelled: one walk over them, two styles."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from penstock.explain.written import Name, Term

# How tightly an op binds: a looser one within a tighter one stands in parentheses.
_CHOICE, _SUM, _PRODUCT, _MATRIX, _POWER, _ATOM = range(6)

_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_ACCENTS = {"tilde": "tilde", "hat": "hat", "bar": "bar"}


class Spelled(NamedTuple):
    """A term's text, how tightly it binds, and whether a minus stands before it."""

    text: str
    binds: int
    negative: bool = False


class Style(ABC):
    """A way of spelling: signs, and words for functions that are not called by their own name."""

    minus: ClassVar[str]
    times: ClassVar[str]
    dot: ClassVar[str]
    ratio_binds: ClassVar[int]
    words: ClassVar[Mapping[str, str]]

    @abstractmethod
    def name(self, name: Name) -> str:
        """Return a leaf, or the left side of an equation."""

    @abstractmethod
    def number(self, value: float) -> str:
        """Return a number above 0."""

    @abstractmethod
    def parentheses(self, inner: str) -> str:
        """Return something in parentheses."""

    @abstractmethod
    def call(self, function: str, args: list[str]) -> str:
        """Return a function of its arguments."""

    @abstractmethod
    def ratio(self, above: str, below: str) -> str:
        """Return a quotient."""

    @abstractmethod
    def power(self, base: str, exponent: str) -> str:
        """Return a power."""

    @abstractmethod
    def choice(self, yes: str, condition: str, no: str) -> str:
        """Return one of two, by a condition."""


class Unicode(Style):
    """One line of Unicode: ⊙ is elementwise, ₋ marks a state before the step."""

    minus, times, dot, ratio_binds = "−", " ⊙ ", " · ", _PRODUCT
    words: ClassVar = {
        "sigmoid": "σ", "layer_norm": "LN", "sqrt": "√", "maximum": "max", "minimum": "min",
        "amax": "max", "sum": "Σ",
    }  # fmt: skip

    def name(self, name: Name) -> str:
        """Return h₋ for an old state, s⁽²⁾ for the second value of s."""
        text = "_".join(_LETTERS.get(part, part) for part in name.text.split("_"))
        mark = f"⁽{str(name.number).translate(_RAISED)}⁾" if name.number else ""
        return f"{text}{mark}{'ᵀ' * name.transposed}{'₋' if name.role == 'old' else ''}"

    def number(self, value: float) -> str:
        """Return all digits that make the number what it is."""
        return repr(int(value) if value.is_integer() else value)

    def parentheses(self, inner: str) -> str:
        """Return (…)."""
        return f"({inner})"

    def call(self, function: str, args: list[str]) -> str:
        """Return f(a, b)."""
        return f"{self.words.get(function, function)}({', '.join(args)})"

    def ratio(self, above: str, below: str) -> str:
        """Return a / b."""
        return f"{above} / {below}"

    def power(self, base: str, exponent: str) -> str:
        """Return a², or a^b where b is no whole number."""
        return base + (exponent.translate(_RAISED) if exponent.isdigit() else f"^{exponent}")

    def choice(self, yes: str, condition: str, no: str) -> str:
        """Return "a if b > c else d"."""
        return f"{yes} if {condition} else {no}"


class Latex(Style):
    """LaTeX for mathematics mode; what changes from step to step has a subscript t."""

    minus, times, dot, ratio_binds = "-", r" \odot ", r" \cdot ", _ATOM
    words: ClassVar = {
        "sigmoid": r"\sigma", "tanh": r"\tanh", "exp": r"\exp", "log": r"\log", "sin": r"\sin",
        "cos": r"\cos", "maximum": r"\max", "minimum": r"\min", "amax": r"\max", "sum": r"\sum",
        "layer_norm": r"\mathrm{LN}",
    }  # fmt: skip

    def name(self, name: Name) -> str:
        """Return what reads h_{t-1}, i_t, c_{below,t} or W_f."""
        first, *rest = re.sub(r"(?<=[a-z])(?=\d+$)", "_", name.text).split("_")
        base = self._word(first)
        while rest and rest[-1] in _ACCENTS:
            base = rf"\{_ACCENTS[rest.pop()]}{{{base}}}"
        raised = f"^{{({name.number})}}" if name.number else ""
        raised += r"^\top" if name.transposed else ""
        lowered = [self._word(part) for part in rest]
        if name.role not in ("weight", "number"):
            lowered.append("t-1" if name.role == "old" else "t")
        below = ",".join(lowered)
        return (
            base + raised + (f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else "")
        )

    @staticmethod
    def _word(word: str) -> str:
        if word in _LETTERS:
            return rf"\{word}"
        return word if len(word) == 1 or word.isdigit() else rf"\mathrm{{{word}}}"

    def number(self, value: float) -> str:
        """Return four digits at most, and powers of ten as such."""
        digits, _, exponent = f"{value:.4g}".partition("e")
        return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits

    def parentheses(self, inner: str) -> str:
        """Return parentheses as high as what they hold."""
        return rf"\left({inner}\right)"

    def call(self, function: str, args: list[str]) -> str:
        """Return f(a, b); |a| and √a in their own form."""
        if function == "abs":
            return rf"\left|{args[0]}\right|"
        if function == "sqrt":
            return rf"\sqrt{{{args[0]}}}"
        word = function.replace("_", r"\_")
        called = self.words.get(function, rf"\mathrm{{{word}}}")
        return called + self.parentheses(", ".join(args))

    def ratio(self, above: str, below: str) -> str:
        """Return a fraction."""
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        """Return a power."""
        return f"{base}^{{{exponent}}}"

    def choice(self, yes: str, condition: str, no: str) -> str:
        """Return "a if b > c else d"."""
        return rf"{yes} \ \mathrm{{if}}\ {condition} \ \mathrm{{else}}\ {no}"


STYLES: tuple[Style, Style] = (Unicode(), Latex())


def spell(term: Term, style: Style, labels: Mapping[Term, Name]) -> str:
    """Return a term in a style; what has a label is called by it."""
    return _Writer(style, labels).spell(term, _CHOICE)


class _Writer:
    """Spells a term by the method of its op."""

    def __init__(self, style: Style, labels: Mapping[Term, Name]) -> None:
        self.style, self.labels = style, labels

    def spell(self, term: Term, least: int) -> str:
        """Return a term, in parentheses where it binds more loosely than `least`."""
        return self._signed(self._spelled(term, least))

    def _spelled(self, term: Term, least: int) -> Spelled:
        """Return a term as `spell`, with its minus apart."""
        if term in self.labels:
            return Spelled(self.style.name(self.labels[term]), _ATOM)
        spelled: Spelled = getattr(self, f"_spell_{term.op}", self._call)(term)
        if spelled.binds >= least:
            return spelled
        return Spelled(self.style.parentheses(self._signed(spelled)), _ATOM)

    def _signed(self, spelled: Spelled) -> str:
        return f"{self.style.minus if spelled.negative else ''}{spelled.text}"

    def _call(self, term: Term) -> Spelled:
        args = [self.spell(a, _CHOICE) for a in term.args]
        return Spelled(self.style.call(term.op, args), _ATOM)

    def _spell_name(self, term: Term) -> Spelled:
        return Spelled(self.style.name(term.name), _ATOM)

    def _spell_number(self, term: Term) -> Spelled:
        if term.value < 0:
            return Spelled(self.style.number(-term.value), _SUM, negative=True)
        return Spelled(self.style.number(term.value), _ATOM)

    def _spell_product(self, term: Term) -> Spelled:
        value = self.spell(term.args[0], _POWER)
        return Spelled(f"{self.style.name(term.name)} {value}", _MATRIX)

    def _spell_add(self, term: Term) -> Spelled:
        left, right = (self._spelled(a, _SUM) for a in term.args)
        sign = self.style.minus if right.negative else "+"
        return Spelled(f"{left.text} {sign} {right.text}", _SUM, left.negative)

    def _spell_sub(self, term: Term) -> Spelled:
        left, right = self._spelled(term.args[0], _SUM), self.spell(term.args[1], _PRODUCT)
        return Spelled(f"{left.text} {self.style.minus} {right}", _SUM, left.negative)

    def _spell_neg(self, term: Term) -> Spelled:
        return Spelled(self.spell(term.args[0], _PRODUCT), _SUM, negative=True)

    def _spell_mul(self, term: Term) -> Spelled:
        if (negative := self._negative_first(term)) is not None:
            return negative
        left, right = term.args
        sign = self.style.dot if left.scalar or right.scalar else self.style.times
        is_plain_ratio = right.op == "div" and self.style.ratio_binds < _ATOM
        least = _MATRIX if is_plain_ratio else _PRODUCT
        text = f"{self.spell(left, _PRODUCT)}{sign}{self.spell(right, least)}"
        return Spelled(text, _PRODUCT)

    def _spell_div(self, term: Term) -> Spelled:
        if (negative := self._negative_first(term)) is not None:
            return negative
        binds = self.style.ratio_binds
        least = (_CHOICE, _CHOICE) if binds == _ATOM else (_PRODUCT, _MATRIX)
        above, below = (self.spell(a, k) for a, k in zip(term.args, least, strict=True))
        return Spelled(self.style.ratio(above, below), binds)

    def _negative_first(self, term: Term) -> Spelled | None:
        """Return (−a) b as −a b, None where the first factor is not negative."""
        first = term.args[0]
        if first.op != "neg" or first in self.labels:
            return None
        positive = Term(term.op, (first.args[0], term.args[1]))
        return Spelled(self.spell(positive, _PRODUCT), _SUM, negative=True)

    def _spell_pow(self, term: Term) -> Spelled:
        base, exponent = (self.spell(a, _ATOM) for a in term.args)
        return Spelled(self.style.power(base, exponent), _POWER)

    def _spell_gt(self, term: Term) -> Spelled:
        left, right = (self.spell(a, _SUM) for a in term.args)
        return Spelled(f"{left} > {right}", _CHOICE)

    def _spell_where(self, term: Term) -> Spelled:
        condition, yes, no = term.args
        asked = self.spell(condition, _CHOICE if condition.op == "gt" else _SUM)
        text = self.style.choice(self.spell(yes, _SUM), asked, self.spell(no, _SUM))
        return Spelled(text, _CHOICE)
