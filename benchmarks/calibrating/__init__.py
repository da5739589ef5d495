"""How often a verdict is false: made tables of scores, trained networks, and the page of both."""
