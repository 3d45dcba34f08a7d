"""Convert a model for OpenVINO: python -m pglore_host.convert '{"folder": ...}'. Run by engines/conversions.py."""

import json
import os
import sys
import threading
import time
from pathlib import Path

from . import files, settings
from .engines import conversions
from .errors import HostError


def main(asked: dict) -> None:
    """Write the model as a function of token ids, mask and segments, weights in float32 or int8."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would call home; openvino does without
    import openvino

    found = files.read(
        Path(asked["folder"]), asked["task"], pooling=asked["pooling"], window_tokens=asked["window_tokens"]
    )
    target = Path(asked["target"])
    converted, quality = _converted(found), None
    if asked["int8"]:
        from .quantize import quantized

        converted, quality = quantized(converted, found)
    openvino.save_model(converted, target / conversions.GRAPH, compress_to_fp16=False)
    conversions.seal(target, quality)


def _converted(found: files.ModelFiles):  # -> openvino.Model
    """The model traced with the attention that its class is made for, or with the plain one where that fails."""
    import torch

    from .engines import pretrained

    try:
        return _traced(found, pretrained.load(found, torch.float32))
    except HostError:
        raise
    except Exception as error:
        print(f"traced anew with plain attention: {error!r}", file=sys.stderr)
        return _traced(found, pretrained.load(found, torch.float32, attention="eager"))


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
