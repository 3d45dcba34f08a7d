"""A model: engines agree with each other, a damaged cache is made anew, and a failing text fails alone."""

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from pglore_host import files, settings
from pglore_host.engines import create
from pglore_host.errors import HostError
from pglore_host.memory import Memory
from pglore_host.model import Model
from pglore_host.tokenizer import ModelTokenizer

HASH = "0b40d68aaba88031619478e4aa310c93"  # of the default model's files
TEXTS = ["how do I shrink a table?", "x", "reclaim disk space " * 30, "Ünïcödé 漢字", "a b c " * 80]


def loaded(model_folder: Path, cache: Path, **values) -> Model:
    """A model of this process, not yet loaded."""
    chosen = settings.Settings(data_directory=cache, cache=cache, **values)
    return Model("a", lambda: files.read(model_folder), chosen, Memory(chosen))


async def vectors(model: Model, texts=TEXTS) -> np.ndarray:
    await model.ready()
    try:
        return (await model.vectors(texts, "interactive"))[0]
    finally:
        model.queue.stop()


async def test_engines_and_number_formats_agree(running, model_folder, cache):
    exact = await vectors(loaded(model_folder, cache, engine="torch", dtype="float32"))
    fp32 = await vectors(loaded(model_folder, cache, engine="openvino", dtype="float32"))
    usual = await vectors(loaded(model_folder, cache))
    assert (exact * fp32).sum(axis=1).min() > 0.999999
    assert (exact * usual).sum(axis=1).min() > 0.9999


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "manifest.json"])
async def test_a_damaged_cache_is_made_anew(running, model_folder, cache, tmp_path, capfd, name):
    (kept,) = (path.parent for path in cache.glob("*-embed-float32-*/model.xml") if HASH in str(path))
    path = shutil.copytree(kept, tmp_path / "cache" / kept.name) / name
    before = bytearray(path.read_bytes())
    before[len(before) // 2] ^= 1
    path.write_bytes(before)
    assert (await vectors(loaded(model_folder, tmp_path / "cache"))).shape == (len(TEXTS), 384)
    assert "damaged cache" in capfd.readouterr().err
    assert path.read_bytes() != before


class Failing:
    """An engine that fails on what `fails` says, around a real one."""

    name = "failing"

    def __init__(self, engine, fails) -> None:
        self.engine, self.fails, self.runs = engine, fails, []

    def load(self) -> None:
        self.engine.load()

    def unload(self) -> None:
        self.engine.unload()

    def health(self) -> str | None:
        return self.engine.health()

    def run(self, ids, mask, types=None, pooled=False):
        self.runs.append(len(ids))
        if error := self.fails(ids):
            raise error
        return self.engine.run(ids, mask, types, pooled)


async def faulty(monkeypatch, model_folder, cache, fails) -> tuple[Model, Failing]:
    """A model whose engine fails."""
    made = []

    def make(*arguments):
        made.append(Failing(create(*arguments), fails))
        return made[0]

    monkeypatch.setattr("pglore_host.engines.create", make)
    model = loaded(model_folder, cache)
    await model.ready()
    return model, made[0]


async def test_out_of_memory_halves_the_batch_and_goes_on(running, monkeypatch, model_folder, cache):
    model, engine = await faulty(monkeypatch, model_folder, cache, lambda ids: MemoryError() if len(ids) > 2 else None)
    found, _ = await model.vectors([f"text {number}" for number in range(9)], "interactive")
    model.queue.stop()
    assert found.shape == (9, 384) and np.isfinite(found).all()
    assert max(engine.runs) > 2


async def test_a_text_that_cannot_be_run_fails_alone(running, monkeypatch, model_folder, cache):
    token = ModelTokenizer(model_folder, 256).encode(["crocodile"])[0][0]
    model, _ = await faulty(
        monkeypatch, model_folder, cache, lambda ids: MemoryError("too large") if (ids == token).any() else None
    )
    answers = await asyncio.gather(
        *(model.vectors([text], "interactive") for text in ("one", "a crocodile", "three")), return_exceptions=True
    )
    model.queue.stop()
    assert answers[0][0].shape == answers[2][0].shape == (1, 384)
    assert isinstance(answers[1], HostError) and answers[1].code == "LO303"


async def test_all_who_wait_share_one_load(running, monkeypatch, model_folder, cache):
    model = loaded(model_folder, cache)
    loads = []
    start = model._start
    monkeypatch.setattr(model, "_start", lambda: (loads.append(1), start())[1])
    await asyncio.gather(*(model.ready() for _ in range(10)))
    model.queue.stop()
    assert loads == [1] and model.state == "ready"


async def test_a_cancelled_waiter_does_not_stop_the_load_for_others(running, model_folder, cache):
    model = loaded(model_folder, cache)
    first, second = asyncio.create_task(model.ready()), asyncio.create_task(model.ready())
    await asyncio.sleep(0)
    first.cancel()
    await second
    model.queue.stop()
    assert model.state == "ready"


async def test_a_failed_load_is_tried_again(model_folder, tmp_path):
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    model = loaded(model_folder, blocked, engine="openvino")
    for again in (False, False, True):
        with pytest.raises(HostError) as caught:
            await model.ready(again=again)
        assert caught.value.code == "LO204" and model.state == "failed"
