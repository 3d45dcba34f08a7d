"""What `import pglore` brings, and what it costs."""

import subprocess
import sys
import types

import pytest

import pglore

HEAVY = ("torch", "transformers", "numpy", "psycopg", "rich", "click", "alembic", "sqlalchemy")
HEAVY += ("pydantic", "langchain_core", "llama_index")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy_not_even_the_driver():
    loaded = run(f"import sys, pglore; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_import_takes_less_than_150_ms():
    # Time of the processor, not of the clock: the machine may have other work.
    code = "import time; start_s = time.process_time(); import pglore; print(time.process_time() - start_s)"
    assert min(float(run(code)) for _ in range(3)) < 0.150


def test_all_names_every_public_name_and_no_other():
    public = {
        name
        for name, value in vars(pglore).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(pglore.__all__)


def test_every_public_name_has_a_docstring():
    assert [name for name in pglore.__all__ if not getattr(pglore, name).__doc__] == []


@pytest.mark.parametrize(("adapter", "missing"), [("langchain", "langchain_core"), ("llamaindex", "llama_index")])
def test_an_adapter_without_its_library_says_what_to_install(adapter, missing):
    tried = f"try: import pglore.{adapter}\nexcept ImportError as error: print(error)"
    code = f"import sys; sys.modules['{missing}'] = None\n{tried}"
    assert f"pip install 'pglore[{adapter}]'" in run(code)
