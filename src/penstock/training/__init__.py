"""Training: the loop with early stopping, and checkpoints from which it goes on after a kill."""
