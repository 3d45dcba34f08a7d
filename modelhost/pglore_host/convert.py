"""Convert a text encoder for OpenVINO: python -m pglore_host.convert FOLDER MODEL_XML. Run by engines/openvino.py."""

import os
import sys
import threading
import time


def main(folder: str, target: str) -> None:
    """Write the encoder's last layer as a function of token ids and mask, weights in float32."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would call home; openvino does without
    import openvino
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
    ).eval()

    class Encoder(torch.nn.Module):
        """The model with one output and inputs by name."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.ones((2, 7), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    shape = openvino.PartialShape([-1, -1])
    with torch.inference_mode():
        converted = openvino.convert_model(
            Encoder(),
            example_input={"input_ids": ids, "attention_mask": mask},
            input=[("input_ids", shape, openvino.Type.i64), ("attention_mask", shape, openvino.Type.i64)],
        )
    openvino.save_model(converted, target, compress_to_fp16=False)


def _end_with(parent: int) -> None:
    """End when the host that asked for this has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
