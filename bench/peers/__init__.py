"""The same features and a model by a script of one library each: what a night is measured against."""
