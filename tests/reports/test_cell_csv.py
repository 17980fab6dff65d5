"""The cells as CSV, in the page and for a spreadsheet."""

from __future__ import annotations

import csv
import io

from reports.words.cell_csv import cell_csv
from tests.support.sample_summary import sample_summary


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_cell_is_a_row_with_its_figures() -> None:
    """Estimates have value, low and high; quantiles have their names; absent values are empty."""
    summary = sample_summary(users=(1, 8), full=True)
    cells = summary["cells"]

    rows = rows_of(cell_csv(cells))

    assert [int(row["id"]) for row in rows] == [cell["id"] for cell in cells]
    assert float(rows[1]["conflict_rate"]) == cells[1]["conflict_rate"]["value"]
    assert float(rows[1]["conflict_rate.low"]) == cells[1]["conflict_rate"]["low"]
    assert float(rows[1]["latency_ms.p99"]) == cells[1]["latency_ms"]["p99"]
    assert rows[0]["latency_ms.p99"] == ""
    assert rows[0]["verdict.valid"] == ""
    assert rows[1]["usable"] == "true"
    assert rows[-1]["warnings"] == "client_saturated"
    assert "hot_keys" not in rows[0]


def test_a_text_is_no_formula() -> None:
    """A scenario may be called anything."""
    summary = sample_summary(users=(1,), skews=("hot",), scenario='=HYPERLINK("http://x","a")')

    (row,) = rows_of(cell_csv(summary["cells"]))

    assert row["scenario"] == '\'=HYPERLINK("http://x","a")'


def test_cells_with_different_knobs_share_a_head() -> None:
    """A figure that one cell does not have is empty there."""
    one, two = sample_summary(users=(1,), skews=("hot",), knobs=({"shards": 1}, {"shards": 4}))["cells"]
    del one["knobs"]

    rows = rows_of(cell_csv([one, two]))

    assert [row["knobs.shards"] for row in rows] == ["", "4"]
