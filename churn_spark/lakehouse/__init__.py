"""Delta tables and files on any storage: reads, writes, touched dates. No rule."""
