"""What a comparison leaves on disk, and the pages made of it; no torch."""
