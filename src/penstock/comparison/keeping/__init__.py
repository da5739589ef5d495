"""What a comparison leaves on disk: its folder, the models in it, and how they are used."""
