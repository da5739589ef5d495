"""Where the variables of a Keras model are: in a .keras file, or in a model at hand.

A .keras file is a zip archive of config.json, which says of what layers a model is made, and
model.weights.h5, whose groups follow the attributes by which one layer holds another. Nothing of a
file is run: Keras is not asked to load it, and links of HDF5 to other files are refused.
"""

import importlib
import importlib.util
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError, ModelFileError, PenstockError
from penstock.opening import check_claim, open_plain

_CONFIG, _ABOUT, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LARGEST_JSON = 16 * 2**20
_NAMES = (
    "kernel",
    "recurrent_kernel",
    "bias",
)  # of a cell; files number them


class Where(Protocol):
    """A layer's place, by which its variables are found."""

    def at(self, attribute: str) -> "Where":
        """Return the place of a layer that this one holds."""

    def each(self, attribute: str, kinds: Sequence[str]) -> "Sequence[Where]":
        """Return the places of a list of layers, whose classes have these names."""

    def arrays(self) -> list[NDArray[Any]]:
        """Return a cell's kernel [I, G·H], recurrent kernel [H, G·H] and bias, if there is one.

        Raises:
            ArgumentError, ModelFileError: there are none, or other ones.
        """


@dataclass(frozen=True)
class InMemory:
    """A place in a model at hand."""

    holder: Any

    def at(self, attribute: str) -> "InMemory":
        """Return the place of a layer that this one holds."""
        return InMemory(getattr(self.holder, attribute))

    def each(self, attribute: str, kinds: Sequence[str]) -> "list[InMemory]":
        """Return the places of a list of layers, but for those that stand for inputs."""
        every = getattr(self.holder, "operations", None) or getattr(self.holder, attribute)
        held = [one for one in every if _kind(one) != "InputLayer"]
        if [_kind(one) for one in held] != list(kinds):
            raise ArgumentError(f"{self.holder.name!r} has other layers than its configuration")
        return [InMemory(one) for one in held]

    def arrays(self) -> list[NDArray[Any]]:
        """Return a cell's variables."""
        found = [getattr(self.holder, name, None) for name in _NAMES]
        if found[0] is None:
            raise ArgumentError(
                f"{self.holder.name!r} has no weights yet; call its layer, or model, on data once"
            )
        to_numpy = importlib.import_module("keras").ops.convert_to_numpy
        return [to_numpy(one.value) for one in found if one is not None]


@dataclass(frozen=True)
class InFile:
    """A place in an opened HDF5 file. check: raises where so many bytes are too many."""

    file: Any
    check: Callable[[int], None]
    path: tuple[str, ...] = ()

    def at(self, attribute: str) -> "InFile":
        """Return the place of a layer that this one holds."""
        return replace(self, path=(*self.path, attribute))

    def each(self, attribute: str, kinds: Sequence[str]) -> "list[InFile]":
        """Return the places of a list of layers: named by class, and numbered from the second."""
        seen, places = Counter[str](), []
        for name in map(_snake, kinds):
            number = f"_{seen[name]}" if seen[name] else ""
            seen[name] += 1
            places.append(self.at(attribute).at(name + number))
        return places

    def arrays(self) -> list[NDArray[Any]]:
        """Return a cell's variables."""
        group: Any = self.file
        for name in (*self.path, "vars"):
            group = self._held(group, name)
        count = len(group) if hasattr(group, "keys") else 0
        if count not in (2, 3):
            raise ModelFileError(
                f"holds {count} variables of {'/'.join(self.path)}, and a cell has 2 or 3; a model "
                "that was never called on data has none"
            )
        return [self._array(group, str(k)) for k in range(count)]

    def _held(self, group: Any, name: str) -> Any:
        """Return what a group holds itself, and no link to elsewhere."""
        link = group.get(name, getlink=True) if hasattr(group, "keys") else None
        if type(link).__name__ != "HardLink":
            what = "a link to elsewhere in place of" if link else "no"
            raise ModelFileError(f"holds {what} {'/'.join(self.path)} in {_WEIGHTS}")
        return group[name]

    def _array(self, group: Any, name: str) -> NDArray[Any]:
        data = self._held(group, name)
        if not hasattr(data, "is_virtual") or data.is_virtual or data.external:
            raise ModelFileError(f"holds no plain array as variable {name} of {self.path[-1]}")
        self.check(data.nbytes)
        if data.attrs.get("dtype") == "bfloat16":  # which HDF5 has as two bytes of no kind
            return _bfloat16(np.asarray(data))
        if data.dtype.kind != "f":
            raise ModelFileError(f"has a variable of {'/'.join(self.path)} in {data.dtype}")
        return np.asarray(data)


def _bfloat16(array: NDArray[Any]) -> NDArray[Any]:
    """Return values of bfloat16 as float32, of which they are the first two bytes."""
    if array.dtype.itemsize != 2:
        raise ModelFileError("has variables that are no bfloat16, as they claim")
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _snake(name: str) -> str:
    """Return a class's name as Keras writes it in a path: SimpleRNN is simple_rnn."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()


Reader = Callable[[Any, Where], Any]


def read_file(path: Path, read: Reader) -> Any:
    """Return what `read` makes of a .keras file's configuration and variables.

    Raises:
        ModelFileError: it is none, or damaged, holds too much, or h5py is not there.
        DataError: there is no such file, or it holds too much.
    """
    if not importlib.util.find_spec("h5py"):
        raise ArgumentError("a .keras file takes the library h5py: pip install 'penstock[keras]'")
    with open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                claimed = sum(member.file_size for member in archive.infolist())
                check_claim(path, file, claimed)
                config = _checked_config(archive)
                weights = io.BytesIO(_member(archive, _WEIGHTS))
            left = [0]

            def check(size: int) -> None:
                left[0] += size
                check_claim(path, file, left[0])

            with importlib.import_module("h5py").File(weights, "r") as opened:
                return read(config, InFile(opened, check))
        except ModelFileError as error:
            raise ModelFileError(f"{path} {error}") from None
        except PenstockError:
            raise
        except Exception as error:  # zip, JSON and HDF5 raise many kinds on garbled files
            reason = str(error).strip().partition("\n")[0][:200]
            raise ModelFileError(
                f"{path} cannot be read ({reason}); check that it is complete, and what Keras 3 "
                "writes by model.save('NAME.keras')"
            ) from None


def _checked_config(archive: zipfile.ZipFile) -> Any:
    version = json.loads(_member(archive, _ABOUT)).get("keras_version")
    if not str(version).startswith("3."):
        raise ModelFileError(f"is of Keras {version}; load it in Keras 3, and save it again")
    return json.loads(_member(archive, _CONFIG))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.namelist().count(name) != 1:
        raise ModelFileError(
            f"holds no {name}, and so is no .keras file as Keras 3 writes it; weights alone do not "
            "say what layers they are of"
        )
    if name.endswith(".json") and archive.getinfo(name).file_size > _LARGEST_JSON:
        raise ModelFileError(f"has a {name} of more than {_LARGEST_JSON >> 20} MiB")
    return archive.read(name)


def read_model(layer: Any, read: Reader) -> Any:
    """Return what `read` makes of a layer or model at hand.

    Raises:
        ArgumentError: it is none of Keras, or has layers that cannot be written down.
    """
    homes = {kind.__module__.partition(".")[0] for kind in type(layer).__mro__}
    if "keras" not in homes:
        raise ArgumentError(
            f"a {_kind(layer)} is no layer of Keras 3; give one, a model, or the path of a .keras "
            "file"
        )
    try:
        config = importlib.import_module("keras").saving.serialize_keras_object(layer)
    except Exception as error:  # whatever the model's own classes raise
        raise ArgumentError(
            f"{layer.name!r} cannot be written down ({error}); give its recurrent layers one by one"
        ) from None
    return read(config, InMemory(layer))
