"""The check of our own operations: each formulation, gradient and dtype against the sums in float64."""
