"""Where a loop plan runs; one file each."""
