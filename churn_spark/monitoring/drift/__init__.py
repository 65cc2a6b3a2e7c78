"""How far a sample is from its reference: exact tests on counts. Pure."""
