"""What spoils images: Gaussian noise, the base of noise models, and how they are named."""
