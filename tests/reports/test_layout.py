"""The layout of a picture: labels, line breaks, rows and panels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reports.charts.layout import Box, columns, grid, rows, spread, wrapped


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    """A label is moved away from its line only if necessary."""
    assert spread([0.5, 3.0, 1.6], [1.0, 1.0, 1.0], (0.0, 4.0)) == pytest.approx([0.5, 3.0, 1.6])


def test_labels_that_touch_are_centred_on_their_mean() -> None:
    """Two labels for one position are above and below it."""
    assert spread([2.0, 2.0], [1.0, 1.0], (0.0, 4.0)) == pytest.approx([1.5, 2.5])


@pytest.mark.parametrize("seed", range(20))
def test_labels_never_overlap_leave_their_order_or_the_bounds(seed: int) -> None:
    """This holds for all positions and sizes if there is room."""
    rng = np.random.default_rng(seed)
    places, sizes = list(rng.uniform(-1, 11, 8)), list(rng.uniform(0.2, 1.2, 8))

    moved = spread(places, sizes, (0.0, 10.0))

    order = sorted(range(8), key=lambda index: places[index])
    edges = [(moved[index] - sizes[index] / 2, moved[index] + sizes[index] / 2) for index in order]
    assert all(above[0] - below[1] > -1e-9 for below, above in pairwise(edges))
    assert edges[0][0] > -1e-9
    assert edges[-1][1] < 10 + 1e-9


def test_lines_break_after_spaces_and_commas_but_not_within_a_number() -> None:
    """`1,000 keys` and `D_eff 84` stay together."""
    text = "zipf:0.99  (D_eff 84), 1,000 keys, retry full-jitter:base=10ms,cap=1s"

    assert wrapped(text, 24) == [
        "zipf:0.99  (D_eff 84),",
        "1,000 keys, retry",
        "full-jitter:base=10ms,",
        "cap=1s",
    ]


def test_a_word_longer_than_a_line_breaks_at_its_hyphen() -> None:
    """Without a hyphen it stays whole."""
    assert wrapped("aws-connector", 8) == ["aws-", "connector"]


def test_entries_are_put_into_rows_that_fit() -> None:
    """The order stays; an entry that is too wide has its own row."""
    assert rows([3, 3, 3, 9, 1], 7) == [[0, 1], [2], [3], [4]]
    assert rows([], 7) == []


def test_panels_stand_four_abreast_at_most_in_even_rows() -> None:
    """Six panels make two rows of three."""
    assert [columns(count) for count in (1, 2, 4, 5, 6, 8, 9)] == [1, 2, 4, 3, 3, 4, 3]


def test_a_grid_fills_its_area_from_the_upper_left() -> None:
    """Boxes have equal sizes and gaps, and end at the edges of the area."""
    boxes = grid(Box(1, 1, 10, 5), 6, gap_x=0.5, gap_y=1)

    assert boxes[0] == Box(1, 4, 3, 2)
    assert boxes[5] == Box(8, 1, 3, 2)
