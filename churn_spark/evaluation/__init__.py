"""How good predictions are: metrics, intervals, ranking, costs, mistakes. Knows no model."""
