"""Verbs that plugins bring: ``verbs.explain`` is the function whose entry has the role "explain".

So its arguments stand in one place, the plugin's. Loads no torch.
"""

from __future__ import annotations

from typing import Any

from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target


def __getattr__(role: str) -> Any:
    """The function of the first entry of kind ``verbs`` that has a role.

    Raises:
        UnknownNameError: If no plugin in use offers one.
    """
    if role.startswith("_"):
        raise AttributeError(f"there is no verb {role!r}")
    offer, _ = registry().find("verbs", registry().default("verbs", role))
    return load_target(offer.entry)
