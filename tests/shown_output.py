"""Output shown in the README and in docs/ against what the commands print, word by word."""

import re

import pytest

NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?$")


def assert_shown(shown: str, printed: str, rel: float = 1e-8, within: float = 1e-6) -> None:
    """Assert that the words are equal, or numbers equal within a share or within an absolute.

    Angles in degrees are numbers, too, and may be 0.1° apart when `rel` is that of training.
    """
    words, others = shown.split(), printed.split()
    assert len(words) == len(others), printed
    for word, other in zip(words, others, strict=True):
        one, two = word.strip("(),"), other.strip("(),")
        degrees = one.endswith("°") and two.endswith("°")
        one, two = one.removesuffix("°"), two.removesuffix("°")
        if NUMBER.match(one) and NUMBER.match(two):
            close = max(within, 100 * rel) if degrees else within
            assert float(one) == pytest.approx(float(two), rel=rel, abs=close), (word, other)
        else:
            assert one == two, (word, other)
