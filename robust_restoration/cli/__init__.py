"""The command line. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from . import attack, datasets, demo, denoise, evaluate, look, purify, train, weights
from .app import app, main

__all__ = [
    "app",
    "attack",
    "datasets",
    "demo",
    "denoise",
    "evaluate",
    "look",
    "main",
    "purify",
    "train",
    "weights",
]
