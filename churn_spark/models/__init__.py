"""The models: rows, training, calibration, explanation, the bundle and its registry."""
