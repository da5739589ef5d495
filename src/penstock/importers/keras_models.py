"""Which layers a Keras model has, in the order in which one reads the other."""

from collections.abc import Iterator, Sequence
from typing import Any

from penstock.errors import ArgumentError, nearest
from penstock.importers.keras_files import Where
from penstock.importers.keras_layers import Warn, is_read, is_recurrent, read_layer
from penstock.importers.keras_settings import ModelSettings, Saved, settings_of
from penstock.importers.links import Link, Links

Placed = tuple[Saved, Where]

_MODELS = ("Sequential", "Functional")
_DEEPEST = 20  # models in models


def read_links(config: Any, where: Where, names: Sequence[str], warn: Warn) -> Links:
    """Return the links of a layer, or of a model, as Keras writes it down.

    Args:
        config: what Keras writes.
        where: its variables.
        names: the layers to take, one after the other; none for all.
        warn: told what does not carry over.

    Raises:
        ArgumentError: there are other layers, they do not follow each other, or a name is none's.
        ModelFileError: what is written is damaged.
    """
    root = settings_of(Saved, config, "the model")
    layers = list(_leaves(root, where, ordered=False))
    if names:
        by_name = {saved.name: (saved, at) for saved, at in layers}
        layers = [by_name[_known(name, by_name)] for name in names]
    _check_kinds(layers)
    if not names:
        layers = list(_leaves(root, where, ordered=True))
    _check_sequences(layers)
    found: list[Link] = []
    for saved, at in layers:
        found += read_layer(saved, at, warn)
    return found


def _known(name: str, names: dict[str, Placed]) -> str:
    if name not in names:
        raise ArgumentError(f"the model has no layer {name!r}; {nearest(name, names)}")
    return name


def _leaves(saved: Saved, where: Where, ordered: bool, depth: int = 0) -> Iterator[Placed]:
    """Yield the layers of a model, and of models in it, without those that stand for inputs."""
    if saved.class_name not in _MODELS or not saved.is_own or depth > _DEEPEST:
        yield saved, where
        return
    settings = settings_of(ModelSettings, saved.config, saved.name)
    inner = [one for one in settings.layers if one.class_name != "InputLayer"]
    places = where.each("layers", [one.class_name for one in inner])
    found = {one.name: (one, place) for one, place in zip(inner, places, strict=True)}
    order = _chain(settings) if ordered and saved.class_name == "Functional" else list(found)
    for name in order:
        yield from _leaves(*found[name], ordered, depth + 1)


def _check_kinds(layers: list[Placed]) -> None:
    """Raise where a layer is none that Penstock reads."""
    recurrent = [repr(saved.name) for saved, _ in layers if is_recurrent(saved)]
    other = [f"{one.class_name} {one.name!r}" for one, _ in layers if not is_read(one)]
    if other:
        have = f"name={recurrent[0]}" if len(recurrent) == 1 else f"name=[{', '.join(recurrent)}]"
        what = f"take the recurrent layers alone by {have}" if recurrent else "it has no recurrent"
        raise ArgumentError(f"the model has {', '.join(other)}, no recurrent layer; {what}")
    if not recurrent:
        raise ArgumentError("the model has no recurrent layer")


def _check_sequences(layers: list[Placed]) -> None:
    """Raise where a layer gives no sequence to the next."""
    last = max(k for k, (saved, _) in enumerate(layers) if is_recurrent(saved))
    for saved, _ in layers[:last]:
        if is_recurrent(saved) and not _gives_sequence(saved):
            raise ArgumentError(
                f"{saved.name!r} gives its last output alone to the next layer, "
                "which reads a sequence; name one of them"
            )


def _gives_sequence(saved: Saved) -> bool:
    inner = saved.config.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else saved.config
    return isinstance(config, dict) and config.get("return_sequences") is True


def _chain(settings: ModelSettings) -> list[str]:
    """Return the names of a functional model's layers, if each reads the one before alone.

    Raises:
        ArgumentError: they do not follow each other.
    """
    reads = {one.name: _history(one) for one in settings.layers}
    inputs = [name for name, before in reads.items() if not before]
    after = {before[0][0]: name for name, before in reads.items() if before}
    single = all(
        len(before) == 1 and before[0][1:] == (0, 0) for before in reads.values() if before
    )
    order: list[str] = []
    here = inputs[0] if len(inputs) == 1 else None
    while here in after and len(order) < len(reads):
        here = after[here]
        order.append(here)
    if not single or len(order) != len(reads) - 1:
        many = [name for name, before in reads.items() if len(before) > 1]
        why = f"{many[0]!r} reads several" if many else "several read one"
        raise ArgumentError(
            f"the layers of {settings.name!r} do not follow each other one by one ({why}); take "
            "one by name=, and give its state in the call"
        )
    return order


def _history(saved: Saved) -> list[tuple[str, int, int]]:
    """Return what a layer reads, over all its calls: layer, call, and which of its outputs."""
    found: list[tuple[str, int, int]] = []
    todo = [saved.inbound_nodes]
    while todo:
        value = todo.pop()
        if isinstance(value, dict) and "keras_history" in value:
            name, call, output = value["keras_history"]
            found.append((str(name), call, output))
        elif isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list | tuple):
            todo += value
    return found
