"""The log of a simulated service, with the truth about who cancels."""
