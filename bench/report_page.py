"""How long the report of a run of 30 cells takes to make, and until a reader can use it.

Limits: at most 10 s to make (pictures included), at most 2 s until the page is interactive. Both need a quiet
machine: the load is printed beside them. About 20 s.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
SKEWS = ("uniform", "zipf:0.8", "zipf:0.99", "zipf:1.2", "hot")
VISITS = 5
INTERACTIVE = "performance.getEntriesByType('navigation')[0].domInteractive"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from reports.output.bundle import write_reports
    from tests.support.sample_summary import sample_summary

    with tempfile.TemporaryDirectory() as folder:
        summary = sample_summary(skews=SKEWS, users=(1, 2, 4, 8, 16, 32), full=True)
        wall, cpu = time.perf_counter(), time.process_time()
        page = write_reports(Path(folder), summary)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{len(summary['cells'])} cells: {wall:.1f} s, {cpu:.1f} s of CPU, {page.stat().st_size:,} bytes"
        )
        for name, times in visits(page).items():
            print(f"{name}: median {median(times):.0f} ms, most {max(times):.0f} ms of {len(times)} visits")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def visits(page: Path) -> dict[str, list[float]]:
    """Times of each visit in ms: until the page is interactive, and until a press on a name is answered."""
    from tests.support.browser import launched, program, visit

    path = program()
    if path is None:
        sys.exit("no Chromium: install Debian's, or set HOTROW_CHROMIUM")
    times: dict[str, list[float]] = {"interactive": [], "first press answered": []}
    with launched(path) as browser:
        for _ in range(VISITS):
            started = time.perf_counter()
            seen = visit(browser, page.as_uri())
            chip = seen.page.locator(".key button").first
            chip.click()
            seen.page.locator(".key button[aria-pressed=false]").first.wait_for()
            times["first press answered"].append(1e3 * (time.perf_counter() - started))
            times["interactive"].append(float(seen.page.evaluate(INTERACTIVE)))
            seen.page.context.close()
    return times


main()
