"""What is followed step by step: text, and frames of ones and zeros."""
