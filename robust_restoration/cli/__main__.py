"""``python -m robust_restoration.cli``."""

from . import main

main()
