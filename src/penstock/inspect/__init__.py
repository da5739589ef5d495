"""What a trained network makes of its data: gradients, memory span, gates, clipping, pruning."""
