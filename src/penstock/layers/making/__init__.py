"""What a layer is made of, once: its options, its parts and their parameters, what joins them."""
