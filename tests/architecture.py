"""The shape of the house: its rooms, the floor of each, and who imports whom, read from the sources.

`python -m tests.architecture` prints rooms, arrows and circles. Imports for type checkers alone count too.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[1]
PACKAGES = ("hotrow", "analysis", "reports", "scenarios", "locustfiles")
LEAVES = "leaves"
"""The room of the modules in `hotrow/` itself, apart from `finish`."""
FLOORS: tuple[tuple[str, ...], ...] = (
    (LEAVES,),
    ("hotrow.keys", "hotrow.standin"),
    ("hotrow.scenario",),
    ("hotrow.attempt", "hotrow.script", "scenarios"),
    ("hotrow.run", "hotrow.targets"),
    ("hotrow.tables", "hotrow.tap", "hotrow.simulation", "analysis"),
    ("hotrow.probe", "reports"),
    ("hotrow.doctor", "hotrow.finish"),
    ("hotrow.load",),
    ("hotrow.commands", "locustfiles"),
)
"""Every room, from the ground up. An arrow runs from a room to one on a floor below it."""


@dataclass(frozen=True, slots=True)
class House:
    """The imports between the project's own modules."""

    modules: Mapping[str, frozenset[str]]
    """By module: the project's modules that it imports anywhere."""

    @property
    def arrows(self) -> dict[str, set[str]]:
        """By room: the other rooms that it imports."""
        rooms: dict[str, set[str]] = {room: set() for floor in FLOORS for room in floor}
        for module, imported in self.modules.items():
            rooms.setdefault(room_of(module), set()).update(map(room_of, imported))
        return {room: others - {room} for room, others in rooms.items()}

    def upward(self) -> list[str]:
        """Imports of a room that is not on a floor below, each as `module -> module`."""
        floors = {room: number for number, floor in enumerate(FLOORS) for room in floor}
        return [
            f"{module} -> {other}"
            for module, imported in sorted(self.modules.items())
            for other in sorted(imported)
            if room_of(other) != room_of(module) and floors[room_of(other)] >= floors[room_of(module)]
        ]


def read_house(root: Path = ROOT) -> House:
    """Read the sources of every package."""
    paths = {name_of(path, root): path for path in sources(root)}
    return House({name: frozenset(_ours(path, paths) - {name}) for name, path in paths.items()})


def sources(root: Path = ROOT) -> list[Path]:
    """Every source file of the packages."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def name_of(path: Path, root: Path = ROOT) -> str:
    """The dotted name of a source file; a package's is that of its folder."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room that a module is in."""
    package, _, rest = module.partition(".")
    if package != "hotrow":
        return package
    folder = rest.partition(".")[0]
    is_room = folder == "finish" or ((ROOT / package / folder).is_dir() and folder)
    return f"{package}.{folder}" if is_room else LEAVES


@cache
def imports(path: Path) -> frozenset[str]:
    """The dotted names that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _ours(path: Path, paths: Mapping[str, Path]) -> set[str]:
    """The project's modules that a file imports; a package only if a name defined in it is imported."""
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= names & paths.keys() or {node.module}
    return imported & paths.keys()


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The circles of the graph. Each has its nodes in order, and the first node again at the end."""
    left = {node: set(others) for node, others in sorted(graph.items())}
    removed = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            left[circle[0]].discard(circle[1])
            removed.append(circle)
        else:
            return removed


def main() -> int:
    """Print the house; return 1 if it has a circle or an upward arrow."""
    house = read_house()
    arrows = house.arrows
    by_room: dict[str, int] = defaultdict(int)
    for module in house.modules:
        by_room[room_of(module)] += 1
    for number, floor in reversed(list(enumerate(FLOORS))):
        for room in floor:
            others = ", ".join(sorted(arrows[room])) or "-"
            print(f"{number}  {room:<16} {by_room[room]:>3} files  -> {others}")
    wrong = [*circles(arrows), *circles(house.modules)]
    upward = house.upward()
    count = sum(map(len, arrows.values()))
    print(f"{len(arrows)} rooms, {count} arrows, {len(wrong)} circles, {len(upward)} upward")
    for line in (*(" -> ".join(circle) for circle in wrong), *upward):
        print(f"  {line}")
    return 1 if wrong or upward else 0


if __name__ == "__main__":
    sys.exit(main())
