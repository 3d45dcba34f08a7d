"""Tiny language models of current architectures, with weights by chance, made at test time in a second."""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pglore_host.generation import Constraint

CORPUS = [
    "How do I shrink a table? VACUUM FULL rewrites the whole table and returns the space to the operating system.",
    "An index is chosen by the planner, not by the one who asks. Ünïcödé und 漢字, naïve café.",
    '{"name": "value", "count": 12, "tags": ["a", "b"], "ok": true, "none": null, "price": 3.5}',
    "yes no maybe true false positive negative neutral 0123456789",
]
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if tools %}{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 2,
}
KINDS = {  # architecture -> what its config needs beside the sizes
    "Qwen3": {},
    "Llama": {},
    "Gemma3Text": {"sliding_window": 16, "query_pre_attn_scalar": 16, "architecture": "Gemma3ForCausalLM"},
    "Gemma2": {"sliding_window": 16, "query_pre_attn_scalar": 16},
    "Gemma4Text": {"sliding_window": 16, "architecture": "Gemma4ForCausalLM"},
    "Mistral": {"sliding_window": 24},
    "Phi3": {},
    "SmolLM3": {},
    "Granite": {},
    "Olmo3": {"sliding_window": 16},
    "Qwen3Moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32},
    "GptOss": {"sliding_window": 16, "num_local_experts": 4, "num_experts_per_tok": 2},
    "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "architecture": "GPT2LMHeadModel"},
}
REFUSED = {  # architectures that cannot be run in rows -> what the refusal says
    "Mamba": ({"state_size": 8}, "mamba"),
    "Bloom": ({"n_layer": 2, "n_head": 4}, "bloom"),
    "GPTJ": ({"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "rotary_dim": 8}, "gptj"),
}


def tokenizer(folder: Path, *, template: str | None = TEMPLATE, size: int = 700, window: int = 512) -> int:
    """Write a tokenizer of bytes and their commonest pairs; returns the size of its vocabulary."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    words = ["<|pad|>", "<|start|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=words, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(CORPUS * 2, trainer)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<|pad|>", eos_token="<|end|>", model_max_length=window
    )
    if template:
        made.chat_template = template
    made.save_pretrained(folder)
    return raw.get_vocab_size()


def make(folder: Path, kind: str = "Qwen3", *, template: str | None = TEMPLATE, **values) -> Path:
    """Write a model of transformers with its tokenizer."""
    transformers.utils.logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    given = {**SIZES, **KINDS.get(kind, {}), **values}
    given["vocab_size"] = tokenizer(folder, template=template, window=given["max_position_embeddings"])
    architecture = given.pop("architecture", f"{kind}ForCausalLM")
    torch.manual_seed(5)
    model = getattr(transformers, architecture)(getattr(transformers, f"{kind}Config")(**given))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name.lower() and parameter.dim() > 1:
                parameter.normal_(0, 0.15)  # by chance, but far enough from zero that a wrong step shows
    model.save_pretrained(folder)
    return folder


def schema(value: object) -> Constraint:
    """A text that fits a JSON Schema."""
    return Constraint("schema", value)


def regex(value: str) -> Constraint:
    """A text that a pattern matches."""
    return Constraint("regex", value)


def choices(*words: str) -> Constraint:
    """One of a few texts."""
    return Constraint("choices", list(words))


def pack(folder: Path, how: str) -> Path:
    """Quantize the weights of a folder: the experts of a GptOss as mxfp4, the matrices of a Qwen3 as fp8."""
    tensors, found, chance = load_file(folder / "model.safetensors"), {}, torch.Generator().manual_seed(3)
    for name, tensor in tensors.items():
        if how == "mxfp4" and name.endswith(("gate_up_proj", "down_proj")):
            experts, inner, outer = tensor.shape
            blocks = (experts, outer, inner // 32, 16)
            found[f"{name}_blocks"] = torch.randint(0, 256, blocks, dtype=torch.uint8, generator=chance)
            found[f"{name}_scales"] = torch.full(blocks[:3], 122, dtype=torch.uint8)  # 2 to the power of 122 - 127
        elif how == "fp8" and name.endswith("proj.weight"):
            scale = tensor.abs().amax() / 448
            found[name] = (tensor / scale).to(torch.float8_e4m3fn)
            found[f"{name}_scale_inv"] = scale.expand(-(-tensor.shape[0] // 128), -(-tensor.shape[1] // 128)).clone()
        else:
            found[name] = tensor
    save_file(found, folder / "model.safetensors", metadata={"format": "pt"})
    about = {"fp8": {"activation_scheme": "dynamic", "weight_block_size": [128, 128]}, "mxfp4": {}}
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": how, **about.get(how, {})}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
