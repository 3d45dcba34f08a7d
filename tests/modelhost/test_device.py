"""Devices: what is chosen, and that nothing asked for is replaced in silence."""

from pathlib import Path

import pytest

from pglore_host import device, settings
from pglore_host.errors import HostError


def chosen(monkeypatch, tmp_path: Path, flags=frozenset(), gpus=0, mps=False, options=None, **values) -> device.Device:
    """The choice on a machine with these instruction sets and devices."""
    monkeypatch.setattr(device, "cpu_flags", lambda: set(flags))
    monkeypatch.setattr(device, "_cuda_devices", lambda: gpus)
    monkeypatch.setattr(device, "_has_mps", lambda: mps)
    return device.choose(settings.Settings(data_directory=tmp_path, cache=tmp_path, **values), options)


def test_bfloat16_only_where_the_cpu_has_it(monkeypatch, tmp_path):
    assert chosen(monkeypatch, tmp_path).dtype == "float32"
    assert chosen(monkeypatch, tmp_path, {"avx512f", "avx2"}).dtype == "float32"
    for flag in ("avx512_bf16", "amx_bf16"):
        found = chosen(monkeypatch, tmp_path, {flag})
        assert found.dtype == "bfloat16" and flag in found.reason


def test_a_gpu_is_taken_when_there_is_one_and_left_when_cpu_is_asked_for(monkeypatch, tmp_path):
    found = chosen(monkeypatch, tmp_path, gpus=2)
    assert (found.kind, found.engine, found.dtype) == ("cuda", "torch", "float16")
    assert chosen(monkeypatch, tmp_path, gpus=2, device="cpu").kind == "cpu"
    assert chosen(monkeypatch, tmp_path, mps=True).kind == "mps"


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_asked_for_but_missing_is_an_error(monkeypatch, tmp_path, kind):
    with pytest.raises(HostError) as caught:
        chosen(monkeypatch, tmp_path, device=kind)
    assert caught.value.code == "LO204" and kind in caught.value.message


def test_what_is_asked_for_is_done(monkeypatch, tmp_path):
    assert chosen(monkeypatch, tmp_path, {"avx512_bf16"}, dtype="float32").dtype == "float32"
    assert chosen(monkeypatch, tmp_path, engine="torch").engine == "torch"
    assert chosen(monkeypatch, tmp_path, gpus=1, dtype="bfloat16").dtype == "bfloat16"


def test_a_models_own_options_come_before_the_settings(monkeypatch, tmp_path):
    options = {"device": "cpu", "engine": "torch", "dtype": "float32"}
    found = chosen(monkeypatch, tmp_path, {"avx512_bf16"}, gpus=1, options=options)
    assert (found.kind, found.engine, found.dtype) == ("cpu", "torch", "float32")
    found = chosen(monkeypatch, tmp_path, {"avx512_bf16"}, options={"device": "auto", "dtype": None}, dtype="float32")
    assert found.dtype == "float32"


@pytest.mark.parametrize("asked", [{"dtype": "int8"}, {"engine": "openvino"}])
def test_what_runs_on_the_cpu_alone_is_run_there_although_there_is_a_gpu(monkeypatch, tmp_path, asked):
    found = chosen(monkeypatch, tmp_path, gpus=1, options=asked)
    assert (found.kind, found.engine) == ("cpu", "openvino")


@pytest.mark.parametrize(
    "asked",
    [
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"dtype": "int8", "engine": "torch"},
        {"dtype": "int8", "device": "cuda"},
        {"engine": "openvino", "device": "cuda"},
    ],
    ids=str,
)
def test_what_no_engine_does_is_an_error(monkeypatch, tmp_path, asked):
    with pytest.raises(HostError) as caught:
        chosen(monkeypatch, tmp_path, gpus=1 if "device" in asked else 0, options=asked)
    assert caught.value.code == "LO204"


@pytest.mark.parametrize(
    "values", ['{"device": "tpu"}', '{"dtype": "int3"}', '{"engine": 7}', '{"threads": -1}', "[]", "{"]
)
def test_a_setting_that_is_not_allowed_is_refused(tmp_path, values):
    path = tmp_path / "host.json"
    path.write_text(values)
    with pytest.raises((ValueError, TypeError, AttributeError)):
        settings.load(tmp_path, path)


def test_the_cache_is_in_the_data_directory_unless_set(tmp_path):
    assert settings.load(tmp_path, None).cache == tmp_path / "pglore" / "cache"
    path = tmp_path / "host.json"
    path.write_text('{"cache": "/elsewhere", "command": ["x"]}')
    assert settings.load(tmp_path, path).cache == Path("/elsewhere")
