"""The palette: readers with any colour vision can tell the colours apart and see them on the background."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from reports.charts.marks import Tint
from reports.output import palette

EYES = {
    "common": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
"""Linear RGB as dichromats see it: Machado, Oliveira and Fernandes 2009, severity 1."""

Vector = np.ndarray[Any, np.dtype[np.float64]]


def linear(colour: str) -> Vector:
    """Linear RGB of an sRGB colour."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: Vector) -> Vector:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2."""
    low, high = sorted(
        float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) for colour in (first, second)
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
@pytest.mark.parametrize("lines", range(2, 9))
def test_colours_differ_for_all_eyes(lines: int, colours: tuple[str, ...], eyes: str) -> None:
    """The usual four lines are far apart, and eight are well above a just noticeable difference (2.3)."""
    chosen = [colours[palette.hue(Tint(index, lines))] for index in range(lines)]

    seen = [lab(EYES[eyes] @ linear(colour)) for colour in chosen]

    nearest = min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))
    assert nearest >= (18 if lines <= 4 else 10)


@pytest.mark.parametrize(("colours", "ground"), [(palette.LIGHT, "#FFFFFF"), (palette.DARK, "#14181D")])
def test_lines_stand_out_from_their_ground(colours: tuple[str, ...], ground: str) -> None:
    """WCAG 2 asks 3:1 for graphics."""
    assert min(contrast(colour, ground) for colour in colours) >= 3


def test_text_on_pictures_is_legible() -> None:
    """WCAG 2 asks 4.5:1 for text."""
    assert min(contrast(colour, palette.PAPER) for colour in (palette.INK, palette.MUTED)) >= 4.5


def test_lines_beyond_the_palette_share_a_colour_but_not_the_marker() -> None:
    """The ninth line has the first line's colour and another marker."""
    first, ninth = Tint(0, 12), Tint(8, 12)

    assert palette.hue(first) == palette.hue(ninth)
    assert palette.shape(first) != palette.shape(ninth)
