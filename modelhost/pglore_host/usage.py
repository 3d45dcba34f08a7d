"""What an engine has run: batches, padding, busy time. Written by the engine's thread, which is one at a time."""

import time

LATELY_S = 60  # seconds over which speed and busy share are taken


class Usage:
    """Sums since the host started, kept when the model is unloaded and loaded again."""

    __slots__ = (
        "_since_s", "_slots", "batches", "busy_s", "loads", "padded_tokens", "texts", "tokens", "unloads"
    )  # fmt: skip

    def __init__(self) -> None:
        self.batches = self.texts = self.tokens = self.padded_tokens = 0
        self.loads = self.unloads = 0
        self.busy_s = 0.0
        self._since_s = time.perf_counter()
        self._slots = [(0, 0, 0.0)] * (LATELY_S + 1)  # (second, tokens, busy seconds), a ring

    def add(self, texts: int, tokens: int, padded_tokens: int, started_s: float, ended_s: float) -> None:
        """Count a batch: its tokens without and with padding, and when it ran, by time.perf_counter."""
        self.batches += 1
        self.texts += texts
        self.tokens += tokens
        self.padded_tokens += padded_tokens
        busy = ended_s - started_s
        self.busy_s += busy
        now = int(ended_s)
        second, before, spent = self._slots[now % len(self._slots)]
        self._slots[now % len(self._slots)] = (
            (now, before + tokens, spent + busy) if second == now else (now, tokens, busy)
        )

    def lately(self, now_s: float) -> tuple[float, float]:
        """Tokens a second and share of the time that the engine ran, over the last minute or since the start."""
        passed = max(1.0, min(LATELY_S, now_s - self._since_s))
        seen = [slot for slot in self._slots if now_s - slot[0] <= LATELY_S and slot[0]]
        return sum(slot[1] for slot in seen) / passed, min(1.0, sum(slot[2] for slot in seen) / passed)

    def summary(self, now_s: float) -> dict:
        """The engine's columns of lore.host_metrics; means are None before the first batch."""
        speed, busy = self.lately(now_s)
        return {
            "batches": self.batches,
            "batch_texts": self.texts / self.batches if self.batches else None,
            "batch_tokens": self.tokens / self.batches if self.batches else None,
            "padding_waste": 1 - self.tokens / self.padded_tokens if self.padded_tokens else None,
            "tokens_per_s": speed,
            "busy_share": busy,
            "loads": self.loads,
            "unloads": self.unloads,
        }
