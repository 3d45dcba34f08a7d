"""The sync half of each module is what its async half gives."""

import subprocess
import sys
from pathlib import Path

import pglore

ROOT = Path(__file__).resolve().parents[2]


def test_the_sync_half_of_every_module_is_up_to_date():
    found = subprocess.run([sys.executable, ROOT / "pyclient" / "derive.py", "--check"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_both_clients_have_the_same_methods():
    def public(kind):
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(pglore.Client) == public(pglore.AsyncClient)
    assert public(pglore.Collection) == public(pglore.AsyncCollection)
