"""Images: checks, files, metrics."""
