"""The distribution: what it depends on, how large that is, and that it is pinned and listed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MEGABYTE = 1_000_000


def name_of(requirement: str) -> str:
    """The normal form of a requirement's name."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def closure(requirements: list[str]) -> set[str]:
    """Names of the requirements and of all that they need in this environment, without extras of theirs."""
    found, waiting = set(), [name_of(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # needed elsewhere only
            continue
        found.add(name)
        waiting += [name_of(need) for need in needs if "extra ==" not in need]
    return found


def size(name: str) -> int:
    """Bytes of a distribution's installed files, byte code included."""
    paths = [Path(file.locate()) for file in distribution(name).files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_the_bare_install_is_under_40_mb_with_its_dependencies():
    names = closure([*PROJECT["dependencies"], "psycopg-binary"])
    assert "sqlalchemy" not in names and "numpy" not in names
    own = sum(
        path.stat().st_size
        for folder in ("pyclient", "cli", "migrations", "modelhost")
        for path in (ROOT / folder).rglob("*.py")
    )
    assert sum(map(size, names)) + 2 * own < 40 * MEGABYTE


def test_every_installed_package_is_pinned_at_its_version():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        pins[name_of(name)] = version
    installed = {name_of(found.name): found.version.partition("+")[0] for found in distributions()}
    installed = {name: version for name, version in installed.items() if name not in ("pglore", "triton")}
    cuda = {name for name in installed if name.startswith(("nvidia-", "cuda-"))}
    assert {name: pins.get(name) for name in installed.keys() - cuda} == {
        name: version for name, version in installed.items() if name not in cuda
    }


def test_every_direct_dependency_is_in_the_list_of_dependencies():
    page = (ROOT / "docs" / "dependencies.md").read_text().lower()
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(requirement for extra in extras for requirement in extra)]
    assert [name for name in map(name_of, wanted) if name not in page] == []


def test_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert f"default_version = '{version}'" in (ROOT / "extension" / "pglore.control").read_text()
    assert re.search(rf"^## \[?{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
