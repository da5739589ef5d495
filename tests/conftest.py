"""Settings for the whole suite."""

import torch

# The sizes here are tiny; on shared cores a second thread only waits (8 ms a product, measured).
torch.set_num_threads(1)
