"""The experiments behind docs/claims.md; `python docs/claims.py` runs them."""
