"""The networks: a recurrent stack between an encoder and a head."""
