"""What a layer is called with: arguments, lengths and resets, the random masks of a call."""
