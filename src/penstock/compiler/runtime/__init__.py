"""What runs a plan on tensors: products around the loop, memory, the compiler of the C."""
