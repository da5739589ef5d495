"""What Keras writes of a layer, with the types of what is read; all else is left unread."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock.errors import ModelFileError

Count = Annotated[int, Field(ge=1, lt=2**31)]
Rate = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


Kind = TypeVar("Kind", bound=_Settings)


class Saved(_Settings):
    """An object as Keras writes it: its class, its settings, and where it stands in a graph."""

    class_name: str
    config: dict[str, Any]
    module: str | None = None
    called: str | None = Field(default=None, alias="name")  # in a functional model alone
    inbound_nodes: Any = ()

    @property
    def name(self) -> str:
        """Its name; an object without one is called by its class."""
        return self.called or str(self.config.get("name", self.class_name))

    @property
    def is_own(self) -> bool:
        """Whether its class is one of Keras."""
        return self.module is not None and self.module.partition(".")[0] == "keras"


class CellSettings(_Settings):
    """A cell's."""

    name: str
    units: Count
    activation: Any
    recurrent_activation: Any = None
    use_bias: bool = True
    reset_after: bool = True
    dropout: Rate = 0.0
    recurrent_dropout: Rate = 0.0


class LoopSettings(_Settings):
    """A recurrent layer's, beside those of its cell."""

    name: str
    return_sequences: bool = False
    go_backwards: bool = False
    stateful: bool = False


class RNNSettings(LoopSettings):
    """Those of a layer over a cell."""

    cell: Saved


class StackSettings(_Settings):
    """Those of several cells as one."""

    cells: list[Saved]


class BidirectionalSettings(_Settings):
    """Those of two layers, one of which reads backwards."""

    name: str
    merge_mode: str | None
    layer: Saved
    backward_layer: Saved


class DropoutSettings(_Settings):
    """Those of dropout."""

    rate: Rate


class ModelSettings(_Settings):
    """Those of a Sequential, or of a functional model."""

    name: str
    layers: list[Saved]
    input_layers: Any = None
    output_layers: Any = None


def settings_of(kind: type[Kind], saved: Any, name: str) -> Kind:
    """Return settings with their types checked.

    Raises:
        ModelFileError: one is missing, or of another type.
    """
    try:
        return kind.model_validate(saved)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelFileError(f"says nothing usable of {name!r} ({place}: {first['msg']})") from None
