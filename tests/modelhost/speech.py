"""What a scripted server says in OpenAI's chat protocol: whole streams, halves of them, and faults."""

import json

from .scripted import reply

END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of HTTP's chunked encoding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(body: object) -> bytes:
    """One server-sent event."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return chunk(b"data: " + data + b"\n\n")


def delta(text: str | None = None, reason: str | None = None, **more) -> bytes:
    """The event of a piece of text, or of the end."""
    content = {} if text is None else {"content": text}
    return event({"choices": [{"index": 0, "delta": {**content, **more}, "finish_reason": reason}]})


def stream(*events: bytes) -> bytes:
    """The reply that holds these events; without END it breaks off."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(events)


def said(*pieces: str, reason: str = "stop", usage: dict | None = None) -> bytes:
    """A good answer in so many pieces."""
    counts = usage or {"prompt_tokens": 7, "completion_tokens": len(pieces)}
    last = event({"choices": [], "usage": counts})
    return stream(*map(delta, pieces), delta(reason=reason), last, event(b"[DONE]"), END)


def speaking(*pieces: str, **more) -> "callable":
    """An action of a scripted server: the list of its models where it is asked for that, else a good answer."""
    return lambda body: said(*pieces, **more) if "messages" in body else MODELS


MODELS = reply({"data": [{"id": "m", "max_model_len": 4096}]})
