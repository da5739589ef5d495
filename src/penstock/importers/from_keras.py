"""From Keras 3: recurrent layers with their weights."""

import warnings
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from penstock.importers.keras_files import read_file, read_model
from penstock.importers.keras_models import read_links
from penstock.importers.links import names_of
from penstock.importers.making import make


def from_keras(layer_or_path: Any, name: str | Sequence[str] | None = None) -> nn.Module:
    """Return a recurrent layer of Keras 3 as Penstock's, with its weights: the outputs are equal.

    Read are SimpleRNN, LSTM, GRU (with either `reset_after`), RNN over their cells or over several
    of them, Bidirectional over all of these, and a Sequential or functional model of such layers,
    with Dropout, Masking and casts between. Of a .keras file, Keras is not needed (h5py is, which
    the extra `keras` brings), and nothing in it is run.

    Args:
        layer_or_path: a layer or model that has been built, or the path of a .keras file.
        name: of a model, the layer to take by its name in Keras, or several that follow each
            other. So the recurrent layers of a model come that has others too.

    Returns:
        `penstock.RNN`, LSTM or GRU, with batch_first=True as Keras lays data out; a
        `penstock.Recurrent` for what these lack: the cell "gru_reset_before_keep" for a GRU with
        reset_after=False, another merge of directions, and dropout of inputs or states. Layers
        that cannot be one module (other sizes, say) are in a `penstock.importers.modules.Chain`.
        It is in evaluation mode, as a layer of Keras is called; `train()` turns dropout on.

    What a call returns is Penstock's: output and state, as of a Recurrent. So

    - `return_sequences=False` is the output's last step: ``output[:, -1]``. Of a Bidirectional it
      is the final state h of both directions, merged, and of rows with lengths the final state h.
    - `go_backwards=True`, outside of a Bidirectional, becomes a `Backwards`, whose first output is
      that of the last step, as in Keras.
    - Masks become lengths. Past a row's end Keras repeats the last output (but not under
      Bidirectional), and Penstock gives 0; what is before the end, and the final states, are equal.
      A row that is read backwards without being restored starts at its valid steps here, and with
      its padding in Keras. Steps that are masked in the middle have no counterpart.
    - `stateful`: nothing is kept from call to call; give the state that the last call returned.
    - `dropout` becomes input_dropout, a layer Dropout the dropout between layers, and
      `recurrent_dropout` the same of Penstock's, with one mask for all gates instead of one a gate.
      All act in training alone. Regularizers, constraints and `trainable` do not carry over.

    Files of Keras 2 (with its time_major), and HDF5 files, are to be saved again by Keras 3.

    Warns:
        UserWarning: where such a difference changes what a model gives.

    Raises:
        ArgumentError: a layer, cell or activation has no counterpart (the message names it), or
            layers do not follow each other, or h5py is not there.
        ModelFileError: the file is no .keras file, or damaged.
        DataError: there is no such file, or it unpacks to more than it may.

    Example:
        >>> lstm = penstock.from_keras("model.keras", name="lstm")  # doctest: +SKIP
        >>> output, (h, c) = lstm(torch.randn(8, 20, 3))  # doctest: +SKIP

    Source: Keras 3, https://keras.io/api/layers/recurrent_layers/.
    """
    said: list[str] = []
    read = partial(read_links, names=names_of(name), warn=said.append)
    if isinstance(layer_or_path, str | PathLike):
        links = read_file(Path(layer_or_path), read)
    else:
        links = read_model(layer_or_path, read)
    for sentence in dict.fromkeys(said):
        warnings.warn(sentence, stacklevel=2)
    return make(links, batch_first=True).eval()
