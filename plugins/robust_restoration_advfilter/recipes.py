"""How a purifier is trained where no recipe is named."""

from __future__ import annotations

from robust_restoration.training.recipes import Recipe

SHORT = Recipe("2,000 steps of 16 images, in the plugin's own defaults", {"steps": 2_000})
