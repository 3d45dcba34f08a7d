"""Build the extension: every sql/NNN_noun.sql, in order, becomes pglore--VERSION.sql.

Usage: build.py [--build DIR] [--install PG_CONFIG] [--root DIR]
Standard library only, so that it runs with any Python 3.9 or later before anything else is installed.
"""

import argparse
import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SQL = HERE.parent / "sql"


def version() -> str:
    """The extension's version, from the control file: the only place that states it for SQL."""
    found = re.search(r"^default_version = '([^']+)'", (HERE / "pglore.control").read_text(), re.MULTILINE)
    if not found:
        raise SystemExit("pglore.control has no default_version")
    return found.group(1)


def sources() -> list:
    """The SQL files in the order of their numbers; two files with one number are an error."""
    files = sorted(SQL.glob("[0-9][0-9][0-9]_*.sql"))
    numbers = [file.name[:3] for file in files]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise SystemExit(f"more than one SQL file is numbered {', '.join(twice)}")
    return files


def script() -> str:
    """The install script: each source after a line that names it, @VERSION@ filled in."""
    head = '\\echo Use "CREATE EXTENSION pglore CASCADE" to load this file. \\quit\n'
    body = "".join(f"\n-- sql/{file.name}\n{file.read_text(encoding='utf-8')}" for file in sources())
    return head + body.replace("@VERSION@", version())


def build(folder: Path) -> Path:
    """Write pglore--VERSION.sql under `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"pglore--{version()}.sql"
    target.write_text(script(), encoding="utf-8")
    return target


def install(built: Path, pg_config: str, root: str) -> Path:
    """Copy control file, script and bridge into the server's SHAREDIR/extension (under `root`, for packagers)."""
    shared = subprocess.run([pg_config, "--sharedir"], check=True, capture_output=True, text=True).stdout.strip()
    target = Path(root + shared) / "extension"
    bridge = target / "pglore" / "pglore_bridge"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "pglore.control", target / "pglore.control")
    shutil.copyfile(built, target / built.name)
    shutil.rmtree(bridge, ignore_errors=True)
    shutil.copytree(HERE / "pglore_bridge", bridge, ignore=shutil.ignore_patterns("__pycache__"))
    # The server's account cannot write here, so without this every new connection would compile the bridge again.
    # Checked by hash: copying packages and images may change modification times.
    compileall.compile_dir(bridge, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    for path in (target / "pglore.control", target / built.name, *(target / "pglore").rglob("*"), target / "pglore"):
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
    return target


def main() -> int:
    """Build, and install when asked; prints what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=HERE.parent / "build", help="folder for the built script")
    parser.add_argument("--install", metavar="PG_CONFIG", help="pg_config of the server to install into")
    parser.add_argument("--root", default="", help="staging root, as DESTDIR of make")
    options = parser.parse_args()
    built = build(options.build)
    print(built)
    if options.install:
        print(install(built, options.install, options.root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
