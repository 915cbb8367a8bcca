"""Many results as a site, and rows measured again."""
