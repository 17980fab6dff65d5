"""Makes docs/sample: a small sweep on the stand-in, its summary and two pictures of its report.

The page itself has 5 MB, most of it Plotly, so it is left in build/. About three minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path("build") / "sample"
SAMPLE = ROOT / "docs" / "sample"
SWEEP = [
    *("hotrow", "sweep", "transfer", "--skew", "uniform,zipf:0.99,hot", "--users", "1,2,4,8"),
    *("--retry", "none,full-jitter", "--duration", "4s", "--max-p99-ms", "1000", "--out", str(BUILD)),
]
KEPT = ("summary.json", "summary.md", "contention.png")
NOT_USABLE, GATE_FAILED = 4, 1


def main() -> None:
    sys.path.insert(0, str(ROOT))
    shutil.rmtree(ROOT / BUILD, ignore_errors=True)
    command = [str(Path(sys.executable).parent / SWEEP[0]), *SWEEP[1:]]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code not in {0, GATE_FAILED, NOT_USABLE}:
        sys.exit(code)
    (run,) = (ROOT / BUILD).glob("*-transfer")
    SAMPLE.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copy(run / name, SAMPLE / name)
    shoot(run / "report.html", SAMPLE / "page.png")
    print(f"sample: {SAMPLE.relative_to(ROOT)}, page: {(run / 'report.html').relative_to(ROOT)}")


def shoot(page: Path, picture: Path) -> None:
    """Take a picture of the top of the page, if there is a Chromium."""
    from tests.support.browser import launched, program, visit

    path = program()
    if path is None:
        print("no Chromium: the picture of the page stays as it is", file=sys.stderr)
        return
    with launched(path) as browser:
        seen = visit(browser, page.as_uri())
        seen.page.locator(".plot .main-svg").first.wait_for()
        seen.page.screenshot(
            path=picture, clip={"x": 0, "y": 0, "width": 1280, "height": 1150}, full_page=True
        )


main()
