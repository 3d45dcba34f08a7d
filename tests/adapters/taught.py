"""A tiny language model that has learnt a few answers by heart, in seconds: what the standard suites of others ask.

An untrained model writes nonsense, so a suite that waits for a tool's call or a joke could show nothing with it.
This one shows that what a model says, a call of a tool say, gets through all layers.
"""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
JOKE = '{"setup": "Why did the cat sit?", "punchline": "It could."}'


def call(name: str, **arguments: object) -> str:
    """A tool's call as models of this template write it."""
    told = {"name": name, "arguments": arguments}
    return f"<tool_call>{json.dumps(told, ensure_ascii=False)}</tool_call>"


WEATHER = "What is the weather in San Francisco, CA?"
LESSONS = {  # what is said before -> what is to be said
    "<|user|>Hello": "Hello, you!",
    "<|user|>hi": "Hello, you!",
    "<|user|>hello": "Hello, you!",
    "<|user|>how are you": "Well, thank you.",
    "<|user|>hello<|end|><|assistant|>hello<|end|><|user|>how are you": "Well, thank you.",
    "<|user|>Hey": "Hello, you!",
    "<|user|>Write me 2 haikus. Only include the haikus.": "An old silent pond.",
    "<|user|>What is the value of magic_function(3)? Use the tool.": call("magic_function", input=3),
    "<|user|>What is the value of magic_function_no_args()? Use the tool.": call("magic_function_no_args"),
    "<|user|>Using the tool, generate a Pirate greeting.": call("greeting_generator", answer_style="Pirate"),
    f"<|user|>{WEATHER}": call("get_weather", location="San Francisco, CA"),
    f"<|user|>{WEATHER}<|end|><|assistant|><|end|><|tool|>It's sunny.": "It is sunny there.",
    "<|user|>Create a customer named '你好啊集团' (Hello Group) - a Chinese technology company": call(
        "unicode_customer", customer_name="你好啊集团", description="technology"
    ),
    "<|user|>Create a customer named 'こんにちは株式会社' (Hello Corporation) - a Japanese company": call(
        "unicode_customer", customer_name="こんにちは株式会社", description="company"
    ),
    '<|user|>What is 1 + 2<|end|><|assistant|><|end|><|tool|>{"result": 3}': "It is 3.",
    "<|user|>Tell me a joke about cats.": JOKE,
    "<|user|>Give me the setup to a joke about cats, no punchline.": '{"setup": "Why?", "punchline": null}',
    "<|user|>Give me a joke about cats, include the punchline.": JOKE,
}


def make(folder: Path, lessons: dict[str, str] = LESSONS, steps: int = 60) -> Path:
    """Write a Llama of two layers that knows the lessons."""
    transformers.utils.logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    heads = [f"{said}<|end|><|assistant|>" for said in lessons]
    texts = [f"{head}{answer}<|end|>" for head, answer in zip(heads, lessons.values(), strict=True)]
    tokenizer = _tokenizer(texts)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work is not worth sharing
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=2048, pad_token_id=0, eos_token_id=1,
        bos_token_id=None,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    rows = tokenizer(texts, padding=True, return_tensors="pt")
    labels = rows["input_ids"].masked_fill(rows["attention_mask"] == 0, -100)
    for row, head in zip(labels, heads, strict=True):
        row[: len(tokenizer(head)["input_ids"])] = -100  # to be answered, not to be learnt
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / 10, (steps - step) / (steps / 3))
        loss = model(**rows, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    model.save_pretrained(folder)
    return folder


def _tokenizer(texts: list[str]) -> transformers.PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(WORDS), initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=WORDS[0], eos_token=WORDS[1])
    made.chat_template = TEMPLATE
    return made
