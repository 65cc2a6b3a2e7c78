"""Programs for those who work on the project, called by the Makefile."""
