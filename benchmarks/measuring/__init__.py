"""What `speed.py` measures with: each library in a process of its own, in blocks with pauses."""
