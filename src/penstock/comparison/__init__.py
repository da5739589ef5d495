"""Which cell for my data? Trials under equal budgets, a verdict, a report."""
