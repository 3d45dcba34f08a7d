"""Calls of tools in a text: found however a model writes them, held back while it streams, never made up."""

import pytest

from pglore_host.generation import Piece, complete
from pglore_host.generation.tools import calling, found

from . import language
from .test_generation import asked, folder, loaded  # noqa: F401

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALL = {"id": None, "name": "weather", "arguments": {"city": "Rome"}}
QWEN = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
LLAMA = '{"name": "weather", "parameters": {"city": "Rome"}}'


@pytest.mark.parametrize(
    ("text", "rest", "calls"),
    [
        (QWEN, "", [CALL]),
        (f"I look.\n{QWEN}\n{QWEN}", "I look.", [CALL, CALL]),
        (LLAMA, "", [CALL]),
        (f"[{LLAMA}, {LLAMA}]", "", [CALL, CALL]),
        ('{"name": "other", "arguments": {}}', '{"name": "other", "arguments": {}}', []),
        ("<tool_call>{broken", "<tool_call>{broken", []),
        ('{"answer": 42}', '{"answer": 42}', []),
        ("no call at all", "no call at all", []),
    ],
)
def test_calls_are_taken_out_of_a_text(text, rest, calls):
    assert found(text, {"weather"}) == (rest, calls)


@pytest.mark.parametrize("text", [f"I look.\n{QWEN}", LLAMA, "a < b and <tool", "plain"])
async def test_no_piece_shows_part_of_a_call(text):
    async def pieces():
        for letter in text:
            yield Piece(letter)
        yield Piece("", 0, "stop")

    told = [piece async for piece in calling(pieces(), TOOLS)]
    rest, calls = found(text, {"weather"})
    assert "".join(piece.text for piece in told) == rest
    assert sum(piece.tokens for piece in told) == len(text)
    assert (told[-1].tool_calls, told[-1].finish_reason) == (calls, "tool_calls" if calls else "stop")


async def test_tools_are_told_to_the_model_and_a_call_of_one_comes_back_as_data(folder):  # noqa: F811
    bound = language.choices(LLAMA)
    async with loaded(folder("Qwen3")) as model:
        plain = await complete(model, asked("x"))
        answer = await complete(model, asked("x", tools=TOOLS, constraint=bound, max_tokens=80))
        assert answer.usage.prompt_tokens > plain.usage.prompt_tokens
        assert (answer.text, answer.tool_calls, answer.finish_reason) == ("", [CALL], "tool_calls")
