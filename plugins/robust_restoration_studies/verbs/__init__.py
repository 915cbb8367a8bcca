"""The studies' commands, one a file. Nothing here loads torch before it runs."""
