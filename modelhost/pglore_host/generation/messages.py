"""Messages: a conversation and its tools, as callers write them, checked.

A message is {"role": "system" | "user" | "assistant" | "tool", "content": text}; "developer", as OpenAI calls the
system of its newer models, is taken for "system". OpenAI's form of a text, an array of
{"type": "text", "text"}, is taken too; an image, or whatever else such an array may hold, is not.
One of the assistant may carry "tool_calls" in place of a text, one of a tool names the call that it answers as
"tool_call_id".
A tool call is {"id", "name", "arguments": object}, as lore.chat returns it; OpenAI's form of it is taken too.
"""

from typing import Any

import orjson

from .. import errors
from ..errors import HostError

ROLES = ("system", "user", "assistant", "tool")
MESSAGES_LIMIT = 1000
TOOLS_LIMIT = 128
CHARACTERS_LIMIT = 1_000_000  # of a conversation with its tools
PARTS = {"image": "an image", "audio": "a sound", "video": "a film", "file": "a file"}
HINT = 'A message is {"role": "user", "content": "..."}; roles: system, user, assistant, tool.'
TOOL_HINT = 'A tool is {"type": "function", "function": {"name": "...", "description": "...", "parameters": {...}}}.'


def messages(given: object) -> list[dict]:
    """The messages of a conversation; raises HostError LO101, LO102, LO103."""
    if not isinstance(given, list):
        raise HostError(errors.BAD_ARGUMENT, "messages must be an array of objects", HINT)
    if not given:
        raise HostError(errors.EMPTY_INPUT, "messages is empty", HINT)
    if len(given) > MESSAGES_LIMIT:
        raise HostError(errors.INPUT_TOO_LONG, f"a conversation of {len(given):,} messages is over {MESSAGES_LIMIT:,}")
    found = [_message(message, number) for number, message in enumerate(given, 1)]
    if (size := sum(len(message.get("content") or "") for message in found)) > CHARACTERS_LIMIT:
        raise HostError(errors.INPUT_TOO_LONG, f"the messages are {size:,} characters, over {CHARACTERS_LIMIT:,}")
    if not any((message.get("content") or "").strip() for message in found):
        raise HostError(errors.EMPTY_INPUT, "no message has a text", HINT)
    return found


def _message(given: object, number: int) -> dict:
    def bad(why: str) -> HostError:
        return HostError(errors.BAD_ARGUMENT, f"message {number} {why}", HINT)

    if not isinstance(given, dict):
        raise bad("is no object")
    role, content = given.get("role"), given.get("content")
    role = "system" if role == "developer" else role
    if role not in ROLES:
        raise bad("has no role that is known")
    if isinstance(content, list):
        content = _joined(content, bad)
    calls = given.get("tool_calls") if role == "assistant" else None
    if not isinstance(content, str) and not (content is None and calls):
        raise bad("has no text as its content")
    found: dict[str, Any] = {"role": role, "content": content or ""}
    if calls:
        found["tool_calls"] = [_call(call, bad) for call in calls] if isinstance(calls, list) else _raise(bad)
    for name in ("tool_call_id", "name"):
        if (value := given.get(name)) is not None:
            if not isinstance(value, str) or len(value) > 256:
                raise bad(f"has a {name} that is no short text")
            found[name] = value
    return found


def _joined(parts: list, bad: Any) -> str:
    """The texts of a content in parts, on lines of their own."""
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            name = next((name for name in PARTS if isinstance(kind, str) and name in kind), None)
            raise bad(f"holds {PARTS[name]}: models are given text only" if name else "has a part that is no text")
        if not isinstance(part.get("text"), str):
            raise bad("has a part that is no text")
    return "\n".join(part["text"] for part in parts)


def _call(given: object, bad: Any) -> dict:
    """A tool call as {"id", "name", "arguments"}, from that or from OpenAI's form."""
    inner = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise bad("has a tool call without a name")
    arguments = inner.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            raise bad("has a tool call whose arguments are no JSON") from None
    if not isinstance(arguments, dict):
        raise bad("has a tool call whose arguments are no object")
    number = given.get("id") if isinstance(given, dict) else None
    return {"id": number if isinstance(number, str) else None, "name": inner["name"], "arguments": arguments}


def _raise(bad: Any) -> list:
    raise bad("has tool_calls that are no array")


def tools(given: object) -> list[dict]:
    """The tools of a request, in OpenAI's form; raises HostError LO102, LO103."""
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > TOOLS_LIMIT:
        raise HostError(errors.BAD_ARGUMENT, f"tools must be an array of at most {TOOLS_LIMIT} objects", TOOL_HINT)
    found = []
    for tool in given:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise HostError(errors.BAD_ARGUMENT, "a tool has no name", TOOL_HINT)
        if not isinstance(function.get("parameters", {}), dict):
            raise HostError(errors.BAD_ARGUMENT, "the parameters of a tool are no JSON schema", TOOL_HINT)
        found.append({"type": "function", "function": function})
    if (size := len(orjson.dumps(found))) > CHARACTERS_LIMIT:
        raise HostError(errors.INPUT_TOO_LONG, f"the tools are {size:,} bytes, over {CHARACTERS_LIMIT:,}")
    return found
