"""JSON lines -> typed events and quarantine."""
