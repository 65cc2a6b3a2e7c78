"""The service: one user, a batch, the list, over HTTP; no JVM."""
