"""Whether a night's data may be judged at all."""
