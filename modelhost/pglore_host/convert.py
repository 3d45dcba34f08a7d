"""Convert a model for OpenVINO: python -m pglore_host.convert '{"folder": ...}'. Run by engines/conversions.py."""

import json
import os
import sys
import threading
import time
from pathlib import Path

from . import errors, files, quantize, settings
from .engines import conversions
from .errors import HostError

TOLERANCE = 1e-3  # of the largest number; float32 in another order gives about 1e-6


def main(asked: dict) -> None:
    """Write the model as a function of token ids, mask and segments, weights in float32 or int8."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would call home; openvino does without
    import openvino

    found = files.read(
        Path(asked["folder"]), asked["task"], pooling=asked["pooling"], window_tokens=asked["window_tokens"]
    )
    found.verify(asked["content_hash"])
    target = Path(asked["target"])
    if asked["int8"]:
        quantize.library()
    converted, quality = _converted(found), None
    if asked["int8"]:
        converted, quality = quantize.quantized(converted, found)
    openvino.save_model(converted, target / conversions.GRAPH, compress_to_fp16=False)
    conversions.seal(target, quality)


def _converted(found: files.ModelFiles):  # -> openvino.Model
    """The model traced with the attention that its class is made for, or with the plain one where that goes wrong.

    raises  HostError LO204 when the conversion computes something else than the model
    """
    import torch

    from .engines import pretrained

    why = ""
    for attention in (None, "eager"):
        model = pretrained.load(found, torch.float32, attention=attention)
        try:
            converted = _traced(found, model)
            if _agree(converted, model, found):
                return converted
            why = "what OpenVINO computes is not what the model computes"
        except Exception as error:
            why = f"OpenVINO cannot follow it ({type(error).__name__})"
            print(f"attention {attention}: {error!r}", file=sys.stderr)
    raise HostError(errors.MODEL_NOT_LOADED, f"it cannot be converted: {why}", 'Give it the option "engine": "torch".')


def _agree(converted, model, found: files.ModelFiles) -> bool:
    """Whether both give the same on batches of other shapes than the traced one, padding included."""
    import numpy as np
    import openvino
    import torch

    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    chance = np.random.default_rng(5)
    for texts, length in ((1, 5), (3, min(48, found.window_tokens)), (2, min(300, found.window_tokens))):
        ids = chance.integers(0, found.config.vocabulary, (texts, length))
        mask = np.ones_like(ids)
        mask[-1, length // 3 :] = texts == 1
        ids[mask == 0] = found.pad_id
        inputs = {"input_ids": ids, "attention_mask": mask}
        with torch.inference_mode():
            answer = model(**{name: torch.from_numpy(value) for name, value in inputs.items()})
        expected = (answer.logits if found.task == "rerank" else answer.last_hidden_state).numpy()
        if any("token_type_ids" in port.get_names() for port in compiled.inputs):
            inputs["token_type_ids"] = np.zeros_like(ids)
        got = compiled(inputs)[0]
        real = slice(None) if found.task == "rerank" else mask == 1
        error = np.abs(got[real] - expected[real]).max() / max(1e-6, np.abs(expected[real]).max())
        if not np.isfinite(got).all() or error > TOLERANCE:
            print(f"{texts} texts of {length}: relative error {error}", file=sys.stderr)
            return False
    return True


def _traced(found: files.ModelFiles, model):  # -> openvino.Model
    import inspect

    import openvino
    import torch

    names = ["input_ids", "attention_mask"]
    if found.task == "rerank" and found.config.token_types > 1:
        names += ["token_type_ids"] * ("token_type_ids" in inspect.signature(model.forward).parameters)
    output = "logits" if found.task == "rerank" else "last_hidden_state"

    class Function(torch.nn.Module):
        """The model with one output and inputs by place."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs):
            return getattr(self.model(**dict(zip(names, inputs, strict=True))), output)

    ids = torch.full((2, 7), found.config.vocabulary // 2, dtype=torch.int64)
    mask = torch.ones_like(ids)
    ids[1, 4:], mask[1, 4:] = found.pad_id, 0
    example = (ids, mask, torch.zeros_like(ids))[: len(names)]
    with torch.inference_mode():
        converted = openvino.convert_model(
            Function(),
            example_input=example,
            input=[(openvino.PartialShape([-1, -1]), openvino.Type.i64) for _ in names],
        )
    for port, name in zip(converted.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    return converted


def _end_with(parent: int) -> None:
    """End when the host that asked for this has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    settings.quiet_environment()
    try:
        main(json.loads(sys.argv[1]))
    except HostError as error:
        print(conversions.SAID + json.dumps(error.as_dict()), flush=True)
        sys.exit(1)
