"""A language model in the registry and in the host: added, shown, used over the socket, within its memory, unloaded."""

import json
import threading

import pytest
import torch
from safetensors.torch import save_file

from pglore_host import settings
from pglore_host.errors import HostError
from pglore_host.generation import complete
from pglore_host.registrar import Registrar
from pglore_host.registry import Registry

from . import language
from .test_generation import asked, folder  # noqa: F401
from .tiny import change


@pytest.fixture
def make(tmp_path):
    """A function that makes a registry with settings of its own."""

    def registry(**values) -> tuple[Registry, Registrar]:
        (tmp_path / "pglore").mkdir(parents=True, exist_ok=True)
        found = Registry(settings.Settings(data_directory=tmp_path, cache=tmp_path, **values))
        return found, Registrar(found)

    return registry


async def test_a_model_is_added_shown_used_and_unloaded(make, folder):  # noqa: F811
    registry, registrar = make()
    row = await registrar.add("tiny", "generate", str(folder("Qwen3")), {"cache_tokens": 1000, "batch_rows": 4})
    assert (row["state"], row["engine"], row["window_tokens"]) == ("unloaded", "torch", 512)
    async with registry.use("tiny", "generate") as use:
        assert (await complete(use.model, asked("x"))).text
        row = await registry.row(registry.entries["tiny"])
        assert (row["state"], row["device"], row["dtype"]) == ("ready", "cpu", "float32")
        assert row["memory_bytes"] > 0 and len(row["fingerprint"]) == 64
        with pytest.raises(HostError) as caught:
            await registrar.unload("tiny")
        assert caught.value.code == "LO302"
    assert await registrar.unload("tiny")
    async with registry.use("tiny", "generate") as use:
        assert (await complete(use.model, asked("x"))).text
    served = {served.alias: served for served in registry.served()}["tiny"]
    assert served.usage.loads == 2 and served.queued == {"interactive": 0, "bulk": 0}
    assert await registrar.drop("tiny")


async def test_a_model_that_is_larger_than_the_budget_is_refused_and_its_cache_counts(make, folder):  # noqa: F811
    registry, registrar = make(memory={"cpu": 180 << 20})
    await registrar.add("small", "generate", str(folder("Qwen3")), {"cache_tokens": 1000})
    await registrar.add("large", "generate", str(folder("Qwen3")), {"cache_tokens": 1_000_000})
    async with registry.use("small", "generate") as use:
        await complete(use.model, asked("x"))
    with pytest.raises(HostError) as caught:
        async with registry.use("large", "generate"):
            pass
    assert caught.value.code == "LO303"


async def test_one_model_makes_room_for_another(make, folder):  # noqa: F811
    registry, registrar = make(memory={"cpu": 180 << 20})
    for alias in ("Qwen3", "Llama"):
        await registrar.add(alias.lower(), "generate", str(folder(alias)), {"cache_tokens": 60_000})
    for alias in ("qwen3", "llama", "qwen3"):
        async with registry.use(alias, "generate") as use:
            await complete(use.model, asked("x"))
        assert [found for found in registry.loaded() if found in ("qwen3", "llama")] == [alias]


@pytest.mark.parametrize(
    "options", [{"engine": "openvino"}, {"dtype": "int8"}, {"quantize": "int2"}, {"cache_tokens": 1}, {"thinking": 1}]
)
async def test_options_that_it_does_not_take_are_refused(make, folder, options):  # noqa: F811
    _, registrar = make()
    with pytest.raises(HostError) as caught:
        await registrar.add("a", "generate", str(folder("Qwen3")), options)
    assert caught.value.code == "LO103"


async def refusal(make, path) -> str:
    """What add_model says of a folder."""
    _, registrar = make()
    with pytest.raises(HostError) as caught:
        await registrar.add("a", "generate", str(path), {})
    assert caught.value.code == "LO204" and str(path) not in caught.value.message
    return caught.value.message


async def test_folders_that_could_do_harm_or_hold_no_language_model_are_refused(make, tmp_path, model_folder):
    assert "ForCausalLM" in await refusal(make, model_folder)
    own = language.make(tmp_path / "code")
    change(own / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"})
    assert "code" in await refusal(make, own)
    pickled = language.make(tmp_path / "pickle")
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "run code" in await refusal(make, pickled)
    other = language.make(tmp_path / "states")
    change(other / "config.json", layer_types=["linear_attention", "full_attention"])
    assert "linear_attention" in await refusal(make, other)


async def test_a_model_whose_weights_are_missing_or_not_finite_is_refused_when_it_is_loaded(make, tmp_path):
    missing, broken = language.make(tmp_path / "missing"), language.make(tmp_path / "broken")
    from safetensors.torch import load_file

    tensors = load_file(missing / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, missing / "model.safetensors", metadata={"format": "pt"})
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], float("nan"))
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    _, registrar = make()
    for alias, path, word in (("missing", missing, "missing"), ("broken", broken, "not finite")):
        await registrar.add(alias, "generate", str(path), {})
        with pytest.raises(HostError) as caught:
            await registrar.load(alias)
        assert caught.value.code == "LO204" and word in caught.value.message


@pytest.mark.parametrize("kind", language.REFUSED)
async def test_an_architecture_whose_states_cannot_be_batched_is_refused_by_its_name(make, tmp_path, kind):
    values, word = language.REFUSED[kind]
    _, registrar = make()
    await registrar.add("a", "generate", str(language.make(tmp_path / kind, kind, **values)), {})
    with pytest.raises(HostError) as caught:
        await registrar.load("a")
    assert caught.value.code == "LO204" and repr(word) in caught.value.message and "vLLM" in caught.value.hint


def test_many_connections_generate_together_over_the_socket(running, folder):  # noqa: F811
    link = running.connect()
    row = link.call("add_model", alias="tiny", task="generate", source=str(folder("Llama")), options={})
    assert row["alias"] == "tiny", row
    expected = link.call("generate", prompt="How do I shrink a table?", model="tiny", max_tokens=20)["text"]
    found: list[str] = []

    def ask() -> None:
        own = running.connect()
        for _ in range(3):
            found.append(own.call("generate", prompt="How do I shrink a table?", model="tiny", max_tokens=20)["text"])

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 48
    bound = link.call("generate", prompt="x", model="tiny", max_tokens=60, schema={"type": "array", "minItems": 1})
    assert isinstance(json.loads(bound["text"]), list)
    metrics = {row["alias"]: row for row in link.call("metrics")}["tiny"]
    assert metrics["batch_texts"] > 1
    assert link.call("drop_model", alias="tiny")["dropped"]


def test_a_closed_connection_ends_what_it_asked_for(running, folder):  # noqa: F811
    link = running.connect()
    link.call("add_model", alias="tiny", task="generate", source=str(folder("Llama")), options={"batch_rows": 1})
    link.call("load_model", alias="tiny")
    left = running.connect()
    left.send("generate", prompt="go on", model="tiny", max_tokens=480)
    left.close()
    assert link.call("generate", prompt="x", model="tiny", max_tokens=2)["usage"]["completion_tokens"] <= 2
    running.until_idle()
    assert link.call("drop_model", alias="tiny")["dropped"]
