"""Layers over cells: `Recurrent` over any cell, and torch.nn's RNN, LSTM and GRU."""
