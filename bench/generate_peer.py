"""The peers of the benchmark generate: `model.generate`, one text after the other, and raw continuous batching.

`python -m bench.generate_peer FOLDER TOKENS WAY NUMBER THREADS` reads prompts as JSON and prints one object.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import common, metrics

PAGE_TOKENS = 128


def measured(folder: Path, prompts: list[str], tokens: int, way: str, number: int, threads: int) -> dict[str, Any]:
    """What a child process measures: tokens/s, and milliseconds to the first token. 0 threads are as many as usual."""
    settings = map(str, (folder, tokens, way, number, threads))
    command = [sys.executable, "-m", "bench.generate_peer", *settings]
    done = subprocess.run(command, input=json.dumps(prompts), capture_output=True, text=True, cwd=common.ROOT)
    if done.returncode:
        sys.exit(f"The peer failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def loaded(folder: str) -> tuple[Any, Any]:
    """The model, as exactly as the model host runs it, and its tokenizer."""
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval().to(device)
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def ids(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """The prompts as the model host hands them to the model."""
    texts = [
        tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    return [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def sequential(model: Any, prompts: list[list[int]], tokens: int) -> dict[str, Any]:
    """One text after the other."""
    import torch

    def write(prompt: list[int], limit: int) -> int:
        given = torch.tensor([prompt], device=model.device)
        with torch.inference_mode():
            made = model.generate(
                given, attention_mask=torch.ones_like(given), max_new_tokens=limit, do_sample=False, pad_token_id=0
            )
        return made.shape[1] - len(prompt)

    write(prompts[0], 4)
    first = [common.timed(lambda prompt=prompt: write(prompt, 1))[1] for prompt in prompts[:8]]
    started = time.perf_counter()
    written = sum(write(prompt, tokens) for prompt in prompts)
    return {"tokens_per_s": written / (time.perf_counter() - started), "first_token_ms": metrics.percentile(first, 50)}


def batched(model: Any, prompts: list[list[int]], tokens: int, number: int) -> dict[str, Any]:
    """transformers' continuous batching alone, with so many requests under way at any time."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    longest = max(map(len, prompts)) + tokens
    ends = model.generation_config.eos_token_id
    manager = model.init_continuous_batching(
        generation_config=GenerationConfig(
            max_new_tokens=tokens, do_sample=False, eos_token_id=-1 if ends is None else ends, pad_token_id=0
        ),
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=PAGE_TOKENS, num_blocks=2 * number * (longest // PAGE_TOKENS + 1), max_batch_tokens=512
        ),
    )
    manager.start()
    added: dict[str, float] = {}
    first: dict[str, float] = {}

    def run(waiting: list[list[int]]) -> int:
        written = 0
        while waiting or added:
            while waiting and len(added) < number:
                added[manager.add_request(waiting.pop(), max_new_tokens=tokens, streaming=True)] = time.perf_counter()
            told = manager.get_result(timeout=60)
            if told is None:
                sys.exit("continuous batching has stopped")
            if told.generated_tokens:
                first.setdefault(told.request_id, (time.perf_counter() - added[told.request_id]) * 1000)
            if told.is_finished():
                written += len(told.generated_tokens)
                added.pop(told.request_id)
        return written

    run(prompts[:1])
    first.clear()
    started = time.perf_counter()
    written = run(list(prompts))
    seconds = time.perf_counter() - started
    manager.stop(block=True)
    return {"tokens_per_s": written / seconds, "first_token_ms": metrics.percentile(list(first.values()), 50)}


def main() -> None:
    folder, tokens, way, number = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    if threads := int(sys.argv[5]):
        import torch

        torch.set_num_threads(threads)
    model, tokenizer = loaded(folder)
    prompts = ids(tokenizer, json.load(sys.stdin))
    found = sequential(model, prompts, tokens) if way == "sequential" else batched(model, prompts, tokens, number)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
