"""What a network must beat on sequences: counted shares, and linear models without recurrence."""
