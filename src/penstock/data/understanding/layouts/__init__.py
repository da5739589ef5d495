"""From the ways in which data hold sequences to one: a row a step."""
