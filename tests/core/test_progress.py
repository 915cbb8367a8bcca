"""What a training says of how far it is, where there is no terminal."""

from __future__ import annotations

import pytest

from robust_restoration.training.progress import Bar


def test_a_plain_line_tells_how_long_the_rest_takes(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar(100, 0, True)
    bar.began -= 50
    bar.said -= 60
    with bar:
        bar.update(50, "filters", {"loss": 1.0}, 0.0)
    said = " ".join(capsys.readouterr().err.split())
    assert "filters: step 50/100" in said
    assert "0:00:50 left" in said
