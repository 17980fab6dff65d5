"""The lines about gates on the console."""

from __future__ import annotations

from typing import Any

from reports.words.gate_lines import GateLine, gate_lines


def check(cell: int, measured: float, verdict: str = "met", *, gate: str = "--max-p99-ms") -> dict[str, Any]:
    text = f"{gate} 5: {verdict}: {measured:g} in cell {cell}"
    return {
        "gate": gate,
        "cell": cell,
        "limit": 5.0,
        "measured": measured,
        "verdict": verdict,
        "text": text,
    }


def gates(*checks: dict[str, Any]) -> dict[str, Any]:
    return {
        "checks": list(checks),
        "breaches": [each for each in checks if each["verdict"] in {"failed", "not measured"}],
        "doubts": [each for each in checks if each["verdict"] == "doubtful"],
    }


def test_a_gate_that_holds_has_its_line_too() -> None:
    """A reader sees limit, verdict and measured value of every gate, after what failed."""
    lines = gate_lines(gates(check(0, 3), check(1, 7, "failed")))

    assert lines == [
        GateLine("failed", "--max-p99-ms 5: failed: 7 in cell 1"),
        GateLine("met", "--max-p99-ms 5: met: 3 in cell 0"),
    ]


def test_cells_that_met_a_gate_share_a_line() -> None:
    """The line has the cell that is nearest to the limit."""
    met = [check(0, 1), check(1, 4), check(2, 2)]
    floor = [check(number, measured, gate="--min-goodput") for number, measured in enumerate((9.0, 6.0))]
    lines = gate_lines(gates(*met, *floor))

    assert [line.text for line in lines] == [
        "--max-p99-ms 5: met: 4 in cell 1 (nearest to the limit of 3 cells)",
        "--min-goodput 5: met: 6 in cell 1 (nearest to the limit of 2 cells)",
    ]


def test_a_sweep_of_many_cells_does_not_fill_the_console() -> None:
    """Twenty gates that failed or are doubtful are named, and the others are counted."""
    failed = [check(cell, 7, "failed") for cell in range(25)]
    doubtful = [check(cell, 3, "doubtful") for cell in range(25, 30)]
    lines = gate_lines(gates(*failed, *doubtful))

    assert len(lines) == 21
    assert lines[-1].text == "and 10 more gates; summary.json has all"
