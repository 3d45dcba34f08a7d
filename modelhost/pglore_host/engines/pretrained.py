"""The torch module of a model: safetensors only, no code of the model's own, and every weight from its files."""

import importlib.util
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from transformers.utils import logging

from ..configuration import ENCODER_ONLY
from ..files import ModelFiles
from ..inspection import refused

ENCODERS = {
    "t5": "T5EncoderModel",
    "mt5": "MT5EncoderModel",
    "umt5": "UMT5EncoderModel",
    "longt5": "LongT5EncoderModel",
    "switch_transformers": "SwitchTransformersEncoderModel",
}


def load(files: ModelFiles, dtype: torch.dtype, kind: str = "cpu", attention: str | None = None) -> torch.nn.Module:
    """The model on the CPU, ready to run; attention is chosen for a device unless it is given.

    raises  HostError LO204 for weights that are missing or do not fit: transformers would fill them with chance
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(files.transformer, local_files_only=True, trust_remote_code=False)
        config.use_cache = False
        factory = _factory(files, config)
        model, about = factory.from_pretrained(
            files.transformer,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=attention or _attention(factory, config, kind, dtype),
            dtype=dtype,
            output_loading_info=True,
        )
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        if "mismatch" in str(error).lower():
            raise refused("the shapes of its weights are not those that config.json asks for") from error
        raise refused(f"transformers cannot read it: {_plain(error, files)}") from error
    if about["mismatched_keys"]:
        raise refused("the shapes of its weights are not those that config.json asks for")
    # The vectors of an embedder come from the states before its pooler, which many files leave out.
    missing = sorted(name for name in about["missing_keys"] if files.task == "rerank" or "pooler." not in name)
    if missing:
        raise refused(f"{len(missing)} of its weights are missing, {missing[0][:80]!r} among them")
    return model.eval()


def _factory(files: ModelFiles, config: Any) -> Any:
    if files.task == "rerank":
        return AutoModelForSequenceClassification
    if config.model_type in ENCODER_ONLY:
        return getattr(transformers, ENCODERS[config.model_type])
    return AutoModel


def _attention(factory: Any, config: Any, kind: str, dtype: torch.dtype) -> str:
    """Flash attention on a GPU that has the library, else torch's own, else what the model's author wrote."""
    mapping = getattr(factory, "_model_mapping", None)
    own = mapping[type(config)] if mapping is not None else factory
    own = own[0] if isinstance(own, tuple) else own
    half = dtype in (torch.float16, torch.bfloat16)
    if (
        kind == "cuda"
        and half
        and getattr(own, "_supports_flash_attn", False)
        and importlib.util.find_spec("flash_attn")
    ):
        return "flash_attention_2"
    return "sdpa" if getattr(own, "_supports_sdpa", False) else "eager"


def _plain(error: Exception, files: ModelFiles) -> str:
    """The first line of an error, without the folder: where a model lies is the operator's affair."""
    text = str(error).strip().replace(str(files.transformer), "its folder").replace(str(files.folder), "its folder")
    return (text.splitlines() or [type(error).__name__])[0][:200]
