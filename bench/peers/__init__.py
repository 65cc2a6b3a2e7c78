"""The same features and a model by scripts of one library each: what a night is measured by."""
