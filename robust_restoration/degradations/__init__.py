"""What spoils images: the contract's Gaussian case, and the grammar of names."""
