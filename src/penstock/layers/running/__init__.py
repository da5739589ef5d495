"""How a sweep is run: by kernels, by torch's own operators, or step by step.

Read `function.run` first, which decides; `eager.run` is what every other way must agree with.
"""
