"""How plugins are found, listed and made."""
