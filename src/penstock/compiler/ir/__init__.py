"""What the passes hand on, all frozen, and what may be in it at each stage (`verify`).

`graph` has one step as nodes, `plan` the loops made of it, `ops` the table of ops.
"""
