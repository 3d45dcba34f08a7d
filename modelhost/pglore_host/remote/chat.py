"""The chat part of the OpenAI protocol: POST /chat/completions, its stream of events, and structured output.

Sources: OpenAI's API reference, and what vLLM, SGLang, llama.cpp, Ollama and `transformers serve` make of it.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from ..errors import HostError
from ..generation.request import Constraint, GenerationRequest, Usage
from . import refusals
from .options import RemoteOptions

PATH = "/chat/completions"
MODELS = "/models"
WRAPPED = "answer"  # the property that what is no object is asked for in, where a server takes schemas of objects alone
WRAPPING = re.compile(r'\s*\{\s*"answer"\s*:\s*(.*\S)\s*\}\s*', re.DOTALL)
DEFINITIONS = ("$defs", "definitions")
JSON_MODE = {"type": "json_object"}
LAX = {"minLength", "maxLength", "patternProperties", "uniqueItems", "allOf", "oneOf", "not", "if"}  # strict is without
TOKENS_LIMIT = (1 << 31) - 1  # of an integer in SQL
THINKING, THOUGHT = "<think>", "</think>"
FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)
REASONS = {"function_call": "tool_calls", "tool_calls": "tool_calls", "length": "length", "max_tokens": "length"}


def body(options: RemoteOptions, name: str, request: GenerationRequest, *, tokens: str, counted: bool) -> dict:
    """The body of a request.

    tokens   what the server calls the bound of the answer's length
    counted  whether it is asked to tell the tokens of a stream
    raises   HostError LO206 for a constraint that its server has no way to keep
    """
    found: dict[str, Any] = {"model": name, "messages": [_message(message) for message in request.messages]}
    found |= {"stream": True, "stream_options": {"include_usage": True}} if counted else {"stream": True}
    if request.max_tokens is not None:
        found[tokens] = request.max_tokens
    if request.temperature is not None:
        found["temperature"] = request.temperature
    if request.top_p != 1.0:
        found["top_p"] = request.top_p
    if request.seed is not None:
        found["seed"] = request.seed
    if request.stop:
        found["stop"] = list(request.stop)
    if request.tools:
        found["tools"] = list(request.tools)
    if request.constraint:
        found |= _structured(options.structured, request.constraint)
        if options.structured == "none" or found.get("response_format") == JSON_MODE:  # OpenAI's wants it said, too
            found["messages"] = _told(found["messages"], request.constraint)
    return found


def _message(message: Mapping) -> dict:
    if not message.get("tool_calls"):
        return dict(message)
    calls = [
        {
            "id": call.get("id") or f"call_{number}",
            "type": "function",
            "function": {"name": call["name"], "arguments": orjson.dumps(call["arguments"]).decode()},
        }
        for number, call in enumerate(message["tool_calls"])
    ]
    return {**message, "tool_calls": calls}


def _structured(way: str, constraint: Constraint) -> dict:
    """What a server of this kind takes to keep a constraint."""
    kind, value = constraint.kind, constraint.value
    if way == "none":
        return {}
    if way == "vllm" and kind != "schema":
        return {"structured_outputs": {{"choices": "choice"}.get(kind, kind): value}}
    if way == "sglang" and kind != "schema":
        pattern = "|".join(map(re.escape, value)) if kind == "choices" else value  # type: ignore[call-overload]
        return {"ebnf": value} if kind == "grammar" else {"regex": f"({pattern})"}
    if kind == "grammar":
        if way == "llama.cpp":
            return {"grammar": value}
        raise refusals.unable("a grammar", 'A server that can is told apart by {"structured": "vllm"}.')
    if kind == "schema" and not isinstance(value, dict):
        return {"response_format": JSON_MODE}
    schema = _wrapping(constraint) if _is_wrapped(way, constraint) else value
    about = {"name": WRAPPED, "schema": schema, "strict": _is_strict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": about}}


def _is_wrapped(way: str, constraint: Constraint) -> bool:
    """Whether a constraint is asked for inside an object: it is no schema, or one that OpenAI's servers refuse, which
    take none but of an object. What refers to its own root has to stay there."""
    value = constraint.value
    if constraint.kind != "schema" or not isinstance(value, dict):
        return constraint.kind in ("choices", "regex")
    if way != "json_schema" or (value.get("type") == "object" and "anyOf" not in value):
        return False
    return all(to.startswith(tuple(f"#/{name}/" for name in DEFINITIONS)) for to in _references(value))


def _references(part: object) -> list[str]:
    """What the parts of a schema refer to."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part["$ref"]] if isinstance(part, dict) and isinstance(part.get("$ref"), str) else []
    return own + [to for one in inner for to in _references(one)]


def _wrapping(constraint: Constraint) -> dict:
    """The schema of an object whose one property keeps a constraint."""
    inner: dict[str, Any] = {"type": "string"}
    outer: dict[str, Any] = {}
    if constraint.kind == "schema":
        given = cast(dict, constraint.value)
        inner = {name: value for name, value in given.items() if name not in DEFINITIONS}
        outer = {name: value for name, value in given.items() if name in DEFINITIONS}
    elif constraint.kind == "choices":
        inner["enum"] = constraint.value
    else:
        inner["pattern"] = f"^(?:{constraint.value})$"
    return {
        "type": "object",
        "properties": {WRAPPED: inner},
        "required": [WRAPPED],
        "additionalProperties": False,
        **outer,
    }


def _is_strict(schema: object) -> bool:
    """Whether a schema is of the kind that OpenAI enforces: objects without further and without optional properties."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if not LAX.isdisjoint(schema):
        return False
    if isinstance(names := schema.get("properties"), dict):
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if set(names) != set(map(str, required)):
            return False
    return all(map(_is_strict, schema.values()))


def _told(messages: list[dict], constraint: Constraint) -> list[dict]:
    """The messages with the constraint in words, for a server that takes none."""
    what = {
        "schema": "Answer with JSON alone, which follows this JSON schema:",
        "choices": "Answer with one of these texts alone, given as a JSON array:",
        "regex": "Answer with a text alone that this regular expression matches as a whole:",
        "grammar": "Answer with a text alone that this grammar derives:",
    }[constraint.kind]
    value = constraint.value
    said = f"{what}\n{value if isinstance(value, str) else orjson.dumps(value).decode()}"
    if messages[0]["role"] == "system":
        return [{**messages[0], "content": f"{messages[0]['content']}\n\n{said}"}, *messages[1:]]
    return [{"role": "system", "content": said}, *messages]


def unwrapped(options: RemoteOptions, constraint: Constraint, text: str) -> str:
    """The text that a constraint is about: out of the object that it was asked for in, and of a fence."""
    if constraint.kind == "choices" and text in cast(list, constraint.value):
        return text
    plain = match[1] if (match := FENCE.fullmatch(text)) else text.strip()
    if constraint.kind == "schema" and _is_wrapped(options.structured, constraint):
        return match[1] if (match := WRAPPING.fullmatch(plain)) else plain
    if options.structured == "none" or constraint.kind == "schema":
        return plain
    if "response_format" in _structured(options.structured, constraint):
        try:
            found = orjson.loads(plain)
        except orjson.JSONDecodeError:
            found = None
        inner = found.get(WRAPPED) if isinstance(found, dict) else None
        if isinstance(inner, str):
            return inner
    return plain if constraint.kind == "choices" else text


class Reader:
    """What the events of one answer add up to."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.tokens = 0  # counted here: of most servers each event holds one
        self._calls: dict[int | str | None, dict] = {}
        self._thought: str | None = ""  # the text so far while it may be, or is, what the model thinks; then None

    def take(self, event: object) -> str:
        """The text of an event; raises HostError for one that tells of an error, or cannot be used."""
        if not isinstance(event, dict):
            raise refusals.garbled("holds an event that is no object")
        if event.get("error"):
            raise _told_error(event)
        if isinstance(usage := event.get("usage"), dict):
            self.usage = _usage(usage) or self.usage
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:  # the last event of some holds the usage alone
            return ""
        choice = choices[0]
        if not isinstance(choice, dict):
            raise refusals.garbled("holds a choice that is no object")
        reason = choice.get("finish_reason")
        if isinstance(reason, str):
            self.finish_reason = REASONS.get(reason, reason if reason == "content_filter" else "stop")
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise refusals.garbled("holds a message that is no object")
        text, calls = delta.get("content"), delta.get("tool_calls")
        for number, call in enumerate(calls if isinstance(calls, list) else []):
            self._call(call, number)
        if text is None or text == "":
            return ""
        if not isinstance(text, str):
            raise refusals.garbled("holds a text that is none")
        self.tokens += 1
        return self._said(text)

    def _said(self, text: str) -> str:
        """A piece without what the model thinks before it answers, where its server leaves that in the text."""
        if self._thought is None:
            return text
        self._thought += text
        begun = self._thought.lstrip()
        if begun.startswith(THINKING):
            _, ended, text = begun.partition(THOUGHT)
            if not ended or not text.strip():
                return ""
            self._thought = None
            return text.lstrip()
        if THINKING.startswith(begun):
            return ""
        text, self._thought = self._thought, None
        return text

    def rest(self) -> str:
        """What was held back, once nothing more comes: a text that only began as a thought does."""
        text, self._thought = self._thought or "", None
        return "" if text.lstrip().startswith(THINKING) else text

    def _call(self, call: object, number: int) -> None:
        """Add a part of a tool call to what there is of it."""
        if not isinstance(call, dict):
            raise refusals.garbled("holds a tool call that is no object")
        place, function = call.get("index", number), call.get("function") or {}
        if not isinstance(place, int | str | None) or not isinstance(function, dict):
            raise refusals.garbled("holds a tool call that is none")
        name = function.get("name") or ""
        if not isinstance(name, str):
            raise refusals.garbled("holds a tool call whose name is no text")
        found = self._calls.setdefault(place, {"id": None, "name": "", "arguments": ""})
        found["id"] = found["id"] or call.get("id")
        found["name"] += name
        arguments = function.get("arguments") or ""
        found["arguments"] += arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()

    def tool_calls(self) -> list[dict]:
        """The calls that the model asks for: [{"id", "name", "arguments"}]; raises HostError."""
        found = []
        for call in self._calls.values():
            try:
                arguments = orjson.loads(call["arguments"] or "{}")
            except orjson.JSONDecodeError:
                raise refusals.garbled("holds a tool call whose arguments are no JSON") from None
            found.append({**call, "arguments": arguments})
        return found


def _told_error(event: Mapping) -> HostError:
    """An error in the middle of a stream, as a refusal with the status that it tells, if any."""
    error = event["error"]
    status = error.get("code") if isinstance(error, dict) else None
    if type(status) is int and 400 <= status < 500:
        return refusals.refusal(status, orjson.dumps(event), (), None)
    failed = refusals.refusal(500, orjson.dumps(event), (), None)
    return refusals.BrokeOff(failed.code, failed.message, failed.hint)


def _usage(found: Mapping) -> Usage | None:
    prompt, completion = found.get("prompt_tokens"), found.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(completion):
        return None
    details = found.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(cast(int, prompt), cast(int, completion), cast(int, cached) if _is_count(cached) else 0)


def _is_count(value: object) -> bool:
    """Whether a value can be a number of tokens: one below 0 would give back what a budget has spent."""
    return type(value) is int and 0 <= value <= TOKENS_LIMIT


def window_tokens(answer: object, name: str) -> int | None:
    """The window that GET /models tells of, as vLLM and SGLang do; None where it is not told."""
    rows = answer.get("data") if isinstance(answer, dict) else None
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("id") == name and type(row.get("max_model_len")) is int:
            return row["max_model_len"] if row["max_model_len"] > 0 else None
    return None
