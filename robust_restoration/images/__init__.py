"""Images: checks, files, metrics, tiling."""
