"""Who is about to cancel, and why: from JSON event logs to scores, every night."""

__version__ = "0.1.0"
