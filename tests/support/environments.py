"""Python environments for tests, made of what is installed here: no network, nothing unpacked
anew."""

import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def new_environment(folder: Path) -> Path:
    """An environment without any package. Returns its folder for packages."""
    venv.create(folder, symlinks=True)
    return folder / sysconfig.get_path("purelib", vars={"base": ""}).lstrip("/")


def required(requirements: Iterable[str], extras: Iterable[str] = ()) -> Iterator[Distribution]:
    """The installed packages that pip would install for a package's requirements and extras, and
    for theirs in turn."""
    seen, open_ones = set(), [(line, frozenset(extras)) for line in requirements]
    while open_ones:
        line, chosen = open_ones.pop()
        requirement = Requirement(line)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in {"", *chosen}
        )
        if not wanted or (requirement.name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((requirement.name, frozenset(requirement.extras)))
        found = distribution(requirement.name)
        assert requirement.specifier.contains(found.version, prereleases=True), (
            line,
            found.version,
        )
        yield found
        open_ones += [(inner, frozenset(requirement.extras)) for inner in found.requires or ()]


def lend(packages: Iterable[Distribution], site: Path) -> None:
    """Put links to packages of this environment, and to their libraries, into another one."""
    library = Path(sys.prefix) / "lib"
    for package in packages:
        files = package.files or ()
        for name in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            link(site / name, Path(package.locate_file(name)))
        for path in (
            Path(package.locate_file(file)).resolve() for file in files if file.parts[0] == ".."
        ):
            if path.parent == library:
                link(site.parents[1] / path.name, path)


def link(place: Path, target: Path) -> None:
    """A link, unless it is there."""
    if not place.is_symlink():
        place.symlink_to(target)
