"""Tiny models for tests: folders as the libraries write them, with weights by chance, made in a second."""

import json
import shutil
from pathlib import Path

import numpy as np

VOCABULARY, HIDDEN, LAYERS, INNER, POSITIONS = 120, 8, 2, 16, 32


def change(path: Path, **values) -> None:
    """Set keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def tensors() -> dict[str, np.ndarray]:
    """The weights of a BERT of the sizes above."""
    chance = np.random.default_rng(7)
    shapes = {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{name}.weight": (HIDDEN, HIDDEN), f"{at}{name}.bias": (HIDDEN,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}{name}.weight": (HIDDEN,), f"{at}{name}.bias": (HIDDEN,)}
        shapes |= {f"{at}intermediate.dense.weight": (INNER, HIDDEN), f"{at}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{at}output.dense.weight": (HIDDEN, INNER), f"{at}output.dense.bias": (HIDDEN,)}
    return {
        name: np.ones(shape, np.float32) if "LayerNorm.weight" in name else chance.normal(0, 0.5, shape).astype("f4")
        for name, shape in shapes.items()
    }


def bert(folder: Path) -> Path:
    """A Sentence Transformers folder of a BERT, written without torch, in milliseconds."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    (folder / "1_Pooling").mkdir(parents=True)
    save_file(tensors(), folder / "model.safetensors", metadata={"format": "pt"})
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *(chr(ord("a") + number) for number in range(26))]
    words += [f"w{number}" for number in range(VOCABULARY - len(words))]
    raw = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [("[CLS]", 1), ("[SEP]", 2)]
    raw.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special)
    raw.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": VOCABULARY,
        "pad_token_id": 0,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate((("", "Transformer"), ("1_Pooling", "Pooling"), ("2_N", "Normalize")))
    ]
    for name, content in {
        "config.json": config,
        "modules.json": modules,
        "config_sentence_transformers.json": {"__version__": {}},
        "sentence_bert_config.json": {"max_seq_length": 24, "do_lower_case": False},
        "tokenizer_config.json": {"model_max_length": 30},
        "1_Pooling/config.json": {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True},
    }.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def module(folder: Path, kind: str, config: dict, weights: dict[str, np.ndarray]) -> None:
    """Put a module behind the others of a Sentence Transformers folder."""
    from safetensors.numpy import save_file

    entries = json.loads((folder / "modules.json").read_text())
    name = f"{len(entries)}_{kind}"
    entries.append({"idx": len(entries), "name": name, "path": name, "type": f"sentence_transformers.models.{kind}"})
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / name).mkdir()
    (folder / name / "config.json").write_text(json.dumps(config))
    if weights:
        save_file(weights, folder / name / "model.safetensors")


def plain(folder: Path) -> Path:
    """Make a Sentence Transformers folder one of transformers alone."""
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")
    return folder
