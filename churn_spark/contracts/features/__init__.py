"""The features: each a formula over what a user did before a date."""
