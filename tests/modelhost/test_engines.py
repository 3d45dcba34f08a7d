"""Engines: what they compute is what sentence-transformers computes, for many kinds of model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pglore_host import device, engines, files, pooling, quality, settings
from pglore_host.dense import activate
from pglore_host.engines import conversions
from pglore_host.errors import HostError
from pglore_host.files import ModelFiles
from pglore_host.pooling import unit
from pglore_host.tokenizer import ModelTokenizer

from . import tiny
from .conftest import ROOT

QUERY = "which table is large"
EXACT = 0.99999  # cosine; the same steps in float32


@pytest.fixture(scope="session")
def texts() -> list[str]:
    from .zoo import TEXTS

    return TEXTS


def started(found: ModelFiles, cache: Path, engine: str, dtype: str = "float32") -> engines.Engine:
    chosen = settings.Settings(data_directory=cache, cache=cache)
    made = engines.create(found, device.choose(chosen, {"engine": engine, "dtype": dtype}), chosen)
    made.load()
    return made


def batch(found: ModelFiles, rows: list[np.ndarray], types: list[np.ndarray] | None = None) -> tuple:
    """Ids, mask and types, padded."""
    shape = (len(rows), max(map(len, rows)))
    ids, mask, kinds = np.full(shape, found.pad_id, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        if types:
            kinds[row, : len(tokens)] = types[row]
    return ids, mask, kinds if types else None


def encoded(found: ModelFiles, texts: list[str]) -> tuple:
    """Texts as an engine takes them, cut at the window as sentence-transformers does."""
    tokens = ModelTokenizer.of(found)
    return batch(found, [tokens.windows(ids[: tokens.content_tokens])[0] for ids in tokens.encode(texts)])


def worst(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest cosine between rows."""
    assert a.shape == b.shape
    return float((unit(a.astype(np.float64)) * unit(b.astype(np.float64))).sum(axis=1).min())


KINDS = [
    ("bert", "torch"),
    ("layered", "torch"),
    ("layered", "openvino"),
    ("roberta", "torch"),
    ("t5", "torch"),
    ("t5", "openvino"),
    ("modernbert", "torch"),
    ("modernbert", "openvino"),
    ("qwen", "torch"),
    ("qwen", "openvino"),
]


@pytest.mark.parametrize(("name", "engine"), KINDS)
def test_vectors_are_those_of_sentence_transformers(zoo, cache, texts, name, engine):
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(zoo(name)), device="cpu").encode(texts, prompt="")
    found = files.read(zoo(name))
    running = started(found, cache, engine)
    ids, mask, _ = encoded(found, texts)
    pooled = running.run(ids, mask, pooled=True).copy()
    by_hand = pooling.head(running.run(ids, mask), mask, found.pooling, found.steps)
    running.unload()
    assert pooled.shape == (len(texts), found.width) and pooled.dtype == np.float32
    assert worst(pooled, expected) > EXACT and worst(by_hand, expected) > EXACT


def test_every_pooling_is_that_of_sentence_transformers(zoo, cache, texts):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    inner = Transformer(str(zoo("bert")))
    for mode in (*pooling.MODES, "cls+weightedmean"):
        modes = tuple(mode.split("+"))
        expected = SentenceTransformer(modules=[inner, Pooling(48, pooling_mode=modes)], device="cpu").encode(texts)
        found = files.read(zoo("bert"), pooling=mode)
        running = started(found, cache, "torch")
        ids, mask, _ = encoded(found, texts)
        assert worst(running.run(ids, mask, pooled=True), expected) > EXACT, mode
        assert worst(pooling.head(running.run(ids, mask), mask, mode), expected) > EXACT, mode


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("name", ["reranker", "roberta_reranker"])
def test_scores_are_those_of_a_cross_encoder(zoo, cache, texts, name, engine):
    from sentence_transformers import CrossEncoder

    expected = CrossEncoder(str(zoo(name)), device="cpu").predict([(QUERY, text) for text in texts])
    found = files.read(zoo(name), "rerank")
    tokens = ModelTokenizer.of(found)
    asked, *documents = tokens.encode([QUERY, *texts])
    room = found.window_tokens - len(asked) - 4
    pairs = [tokens.pairs(asked, ids[:room])[0] for ids in documents]  # cut where sentence-transformers cuts
    running = started(found, cache, engine)
    logits = running.run(*batch(found, [ids for ids, _ in pairs], [types for _, types in pairs]))
    assert logits.shape == (len(texts), 1)
    np.testing.assert_allclose(activate(found.activation, logits[:, 0]), expected, atol=1e-5)
    assert np.ptp(expected) > 0.01
    running.unload()


def passages(count: int) -> list[str]:
    """Real paragraphs of mixed length, from the documentation."""
    pages = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))
    found = [" ".join(part.split())[:800] for part in pages.split("\n\n") if len(part) > 40]
    return found[:: max(1, len(found) // count)][:count]


def test_the_default_model_loses_next_to_nothing(model_folder, cache):
    from sentence_transformers import SentenceTransformer

    texts = passages(24)
    expected = SentenceTransformer(str(model_folder), device="cpu").encode(texts)
    found = files.read(model_folder)
    ids, mask, _ = encoded(found, texts)
    bounds = {("openvino", "float32"): 0.999999, ("torch", "float32"): 0.999999}
    if {"avx512_bf16", "amx_bf16"} & device.cpu_flags():
        bounds["openvino", "bfloat16"] = 0.9999
    for (engine, dtype), bound in bounds.items():
        running = started(found, cache, engine, dtype)
        assert running.health() is None
        assert worst(running.run(ids, mask, pooled=True), expected) >= bound, (engine, dtype)
        running.unload()
        assert running.health() == "not loaded"


MEMORY = """
import sys
from pathlib import Path
from pglore_host import device, engines, files, settings
from pglore_host.status import resident_bytes
folder, cache, engine = sys.argv[1:]
chosen = settings.Settings(data_directory=Path(cache), cache=Path(cache))
found = files.read(Path(folder))
import numpy as np
ids = np.ones((8, 128), dtype=np.int64)

def once():
    before = resident_bytes()
    made = engines.create(found, device.choose(chosen, {"engine": engine, "dtype": "float32"}), chosen)
    made.load()
    made.run(ids, ids)
    loaded = resident_bytes() - before
    made.unload()
    return loaded, resident_bytes() - before

once()  # the library's own code stays
for _ in range(2):
    loaded, left = once()
    print(loaded, left)
"""


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_unloading_gives_the_memory_back(model_folder, cache, engine):
    """In a process of its own, which nothing else makes larger."""
    command = [sys.executable, "-c", MEMORY, str(model_folder), str(cache), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    for line in done.stdout.strip().splitlines():
        loaded, left = map(int, line.split())
        assert loaded > 30e6, line
        assert left < 0.1 * loaded + 4e6, line


def test_int8_states_what_it_loses(model_folder, cache):
    pytest.importorskip("nncf")
    found = files.read(model_folder)
    exact, coarse = started(found, cache, "openvino"), started(found, cache, "openvino", "int8")
    assert exact.quality is None
    assert coarse.quality["texts"] == len(quality.texts()) >= 24
    assert 0.99 < coarse.quality["cosine_min"] < coarse.quality["cosine_mean"] < 1
    ids, mask, _ = encoded(found, passages(24))
    told = coarse.quality["cosine_min"] - 0.005
    assert told < worst(coarse.run(ids, mask, pooled=True), exact.run(ids, mask, pooled=True).copy()) < 0.99999
    exact.unload()
    coarse.unload()


def test_int8_of_a_cross_encoder_states_how_far_its_scores_are_off(zoo, cache):
    pytest.importorskip("nncf")
    running = started(files.read(zoo("reranker"), "rerank"), cache, "openvino", "int8")
    assert 0 < running.quality["difference_mean"] <= running.quality["difference_max"] < 0.5
    running.unload()


def test_int8_without_its_library_is_an_error_of_the_list(zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "nncf.py").write_text("raise ImportError")
    with pytest.raises(HostError) as caught:
        started(files.read(zoo("bert")), tmp_path / "cache", "openvino", "int8")
    assert caught.value.code == "LO206" and "pglore[int8]" in caught.value.hint


def test_a_conversion_that_fails_says_so_and_leaves_nothing(zoo, tmp_path, monkeypatch):
    found = files.read(zoo("bert"))
    monkeypatch.setattr(conversions.sys, "executable", "/bin/false")
    with pytest.raises(HostError) as caught:
        conversions.make(tmp_path / "cache" / "x", found, False)
    assert caught.value.code == "LO204" and "torch" in caught.value.hint
    assert list((tmp_path / "cache").iterdir()) == []


def test_files_that_change_before_they_are_converted_are_refused(tmp_path):
    found = files.read(tiny.bert(tmp_path / "model"))
    assert found.content_hash
    tiny.change(found.folder / "config.json", layer_norm_eps=1e-5)
    with pytest.raises(HostError) as caught:
        started(found, tmp_path / "cache", "openvino")
    assert caught.value.code == "LO204" and "changed" in caught.value.message


SHORT = """
import resource, sys
from pathlib import Path
import numpy as np
from pglore_host import device, engines, files, settings
folder, cache, engine = sys.argv[1:]
chosen = settings.Settings(data_directory=Path(cache), cache=Path(cache))
made = engines.create(
    files.read(Path(folder)), device.choose(chosen, {"engine": engine, "dtype": "float32", "device": "cpu"}), chosen
)
made.load()
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
large, small = np.ones((20_000, 256), dtype=np.int64), np.ones((2, 8), dtype=np.int64)
try:
    made.run(large, large)
except MemoryError as error:
    print("told:", error)
print(made.run(small, small, pooled=True).shape)
"""


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_too_little_memory_for_a_batch_is_told_and_the_next_one_runs(model_folder, cache, engine):
    command = [sys.executable, "-c", SHORT, str(model_folder), str(cache), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == ["told: the machine has too little memory for this batch", "(2, 384)"]
