"""A real OpenAI-compatible server with a tiny language model made on the spot, for the tests of remote generators.

python tests/chat_server.py FOLDER: makes the model in FOLDER, prints a port and `transformers serve`s it there, until
its standard input closes. The model is untrained: it writes nonsense, but as a language model does.
"""

import os
import sys
import threading
from pathlib import Path

from ports import free_port

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")


def make(folder: Path) -> Path:
    """A Llama of two layers with a tokenizer of letters and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = [chr(number) for number in range(33, 127)] + ["\u0120"]  # the last is how ByteLevel writes a space
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="?"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=SPECIAL[0], pad_token=SPECIAL[0])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:])})
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def main(folder: str) -> None:
    """Serve until standard input closes."""
    cache = Path(folder, "hub")  # looked through for the list of models
    cache.mkdir(parents=True)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "TOKENIZERS_PARALLELISM": "false"}
    made = make(Path(folder, "model"))
    from transformers.cli.serve import Serve

    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    port = free_port()
    print(port, flush=True)
    Serve(force_model=str(made), host="127.0.0.1", port=port, device="cpu", log_level="error")


if __name__ == "__main__":
    main(*sys.argv[1:])
