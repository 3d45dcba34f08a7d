"""Remote generators: a server that does what a script says, its faults above all."""

import asyncio
import time
from contextlib import aclosing

import pytest
import pytest_asyncio

from pglore_host import errors
from pglore_host.errors import HostError
from pglore_host.generation import Constraint, GenerationRequest, complete, complete_all
from pglore_host.remote import KINDS
from pglore_host.settings import Settings

from .scripted import Scripted, reply
from .speech import END, chunk, delta, event, said, speaking, stream
from .test_remote import given, until

ASK = [{"role": "user", "content": "What reclaims the space of dead rows?"}]
SCHEMA = Constraint(
    "schema",
    {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    },
)


@pytest_asyncio.fixture
async def server():
    server = Scripted()
    server.always = speaking("VACUUM", " does", ".")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def remote(server, tmp_path):
    """A function that makes a remote generator on the scripted server."""

    def make(url=None, **options):
        options = {"name": "m", "timeout_s": 60, **options}
        settings = Settings(data_directory=tmp_path, cache=tmp_path)
        return KINDS["generate"]("far", "generate", url or f"http://127.0.0.1:{server.port}/v1", options, settings)

    return make


def asking(**more) -> GenerationRequest:
    return GenerationRequest(ASK, **{"whole": True, **more})


async def pieces(generator, request) -> list:
    async with aclosing(generator.stream(request)) as found:
        return [piece async for piece in found]


async def fails(awaitable) -> HostError:
    """The error of what must fail: it names the alias and not the address, and has a hint."""
    with pytest.raises(HostError) as caught:
        await awaitable
    assert "far" in caught.value.message and "127.0.0.1" not in caught.value.message and caught.value.hint
    return caught.value


async def ready(generator, server):
    """The generator once it has been asked, so that a script begins with the next request."""
    await given(generator.ready)
    server.bodies.clear()
    return generator


async def test_pieces_come_one_by_one_and_the_last_tells_of_the_whole(remote, server):
    found = await pieces(remote(), GenerationRequest(ASK, max_tokens=9, seed=3, stop=["x"], top_p=0.5))
    assert [piece.text for piece in found] == ["VACUUM", " does", ".", ""]
    assert [piece.finish_reason for piece in found] == [None, None, None, "stop"]
    assert (found[-1].usage.prompt_tokens, found[-1].usage.completion_tokens) == (7, 3)
    assert found[-1].timings.total_ms >= found[-1].timings.first_token_ms >= found[-1].timings.queue_ms
    asked = server.bodies[-1]
    assert asked["messages"] == ASK and asked["stream"] and asked["model"] == "m"
    assert (asked["max_tokens"], asked["temperature"], asked["top_p"], asked["seed"], asked["stop"]) == (
        9, 0, 0.5, 3, ["x"],
    )  # fmt: skip


async def test_the_window_is_what_the_list_of_models_tells(remote):
    generator = remote()
    await generator.ready()
    assert generator.window_tokens == 4096 and await generator.count(["a"]) is None


async def test_a_server_whose_list_of_models_fails_is_asked_all_the_same(remote, server):
    server.always = lambda body: said("fine") if "messages" in body else reply({}, 500)
    assert (await complete(remote(), asking())).text == "fine"


async def test_a_piece_comes_when_it_is_there_and_not_at_the_end(remote, server):
    generator = await ready(remote(), server)
    server.script = [stream(delta("first"), b"")]  # and silence, longer than the time-out
    server.hold = 600
    async with aclosing(generator.stream(GenerationRequest(ASK))) as found:
        assert (await anext(found)).text == "first"


async def test_an_answer_in_one_piece_without_a_stream_is_taken_too(remote, server):
    answer = {"choices": [{"message": {"role": "assistant", "content": "All."}, "finish_reason": "length"}]}
    generator = await ready(remote(), server)
    server.script = [reply(answer, 200, "Content-Type: application/json\r\n")]
    found = await complete(generator, asking())
    assert (found.text, found.finish_reason) == ("All.", "length")


async def test_a_busy_server_is_asked_again_when_it_says(remote, server):
    generator = await ready(remote(), server)
    server.script = [reply({"error": "slow down"}, 429, "Retry-After: 1\r\n")]
    started = time.monotonic()
    assert (await complete(generator, asking())).text == "VACUUM does."
    assert time.monotonic() - started >= 1 and len(server.bodies) == 2


async def test_a_server_that_stays_busy_is_an_error_within_the_time(remote, server):
    generator = await ready(remote(timeout_s=600), server)
    server.always = reply({"error": "slow down"}, 429, "Retry-After: 6000\r\n")
    async with asyncio.timeout(60):
        assert (await fails(complete(generator, asking()))).code == errors.HOST_BUSY


async def test_a_spent_budget_is_no_reason_to_try_again(remote, server):
    generator = await ready(remote(), server)
    server.always = reply({"error": {"message": "quota", "code": "insufficient_quota"}}, 429)
    assert (await fails(complete(generator, asking()))).code == errors.BUDGET_SPENT
    assert len(server.bodies) == 1


async def test_nobody_listening_is_an_error_within_the_time(remote):
    async with asyncio.timeout(60):
        error = await fails(complete(remote("http://127.0.0.1:9/v1", timeout_s=600), asking()))
    assert error.code == errors.HOST_DOWN


@pytest.mark.parametrize("whole", [True, False])
async def test_a_server_that_says_nothing_is_given_up_in_time(remote, server, whole):
    generator = await ready(remote(timeout_s=1), server)
    server.always = 600
    async with asyncio.timeout(60):
        error = await fails(complete(generator, asking(whole=whole)))
    assert error.code == errors.HOST_DOWN and generator.running == 0


@pytest.mark.parametrize("whole", [True, False])
async def test_a_server_that_falls_silent_in_the_middle_is_given_up_in_time(remote, server, whole):
    generator = await ready(remote(timeout_s=1), server)
    server.script = [stream(delta("half an answer"))]
    server.hold = 600
    async with asyncio.timeout(60):
        error = await fails(complete(generator, asking(whole=whole)))
    assert error.code == errors.HOST_DOWN and "within 1 s" in error.message


async def test_half_an_answer_is_asked_for_anew_where_nobody_has_seen_it(remote, server):
    generator = await ready(remote(), server)
    server.script = [stream(delta("half")), stream(delta("half")), said("whole")]
    assert (await complete(generator, asking())).text == "whole"
    assert len(server.bodies) == 3


async def test_half_an_answer_that_has_been_seen_is_an_error(remote, server):
    generator = await ready(remote(), server)
    server.script = [stream(delta("half"))]
    async with aclosing(generator.stream(GenerationRequest(ASK))) as found:
        assert (await anext(found)).text == "half"
        assert (await fails(anext(found))).code == errors.HOST_DOWN
    assert len(server.bodies) == 1
    assert (await complete(generator, asking())).text == "VACUUM does."


async def test_an_end_without_a_reason_is_half_an_answer(remote, server):
    generator = await ready(remote(), server)
    server.always = stream(delta("half"), event(b"[DONE]"), END)
    assert (await fails(complete(generator, asking()))).code == errors.HOST_DOWN
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    "nonsense",
    [
        b"{not json",
        b"[]",
        b'{"choices": [7]}',
        b'{"choices": [{"delta": {"content": 7}}]}',
        b'{"choices": [{"delta": {"tool_calls": [7]}}]}',
    ],
)
async def test_an_event_that_makes_no_sense_is_asked_for_anew_and_then_an_error(remote, server, nonsense):
    generator = await ready(remote(), server)
    server.script = [stream(event(nonsense), END)]
    assert (await complete(generator, asking())).text == "VACUUM does."
    server.always = stream(event(nonsense), END)
    assert (await fails(complete(generator, asking()))).code == errors.MODEL_NOT_LOADED


async def test_what_is_no_http_is_an_error(remote, server):
    generator = await ready(remote(), server)
    server.always = b"nonsense\r\n\r\n"
    assert (await fails(complete(generator, asking()))).code in (errors.MODEL_NOT_LOADED, errors.HOST_DOWN)


@pytest.mark.parametrize(
    "told, code",
    [
        ({"error": {"message": "the engine died", "type": "x"}}, errors.HOST_DOWN),
        ({"error": "the engine died"}, errors.HOST_DOWN),
        ({"error": {"message": "maximum context length is 4096 tokens", "code": 400}}, errors.INPUT_TOO_LONG),
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_one_of_the_list(remote, server, told, code):
    generator = await ready(remote(), server)
    server.always = stream(delta("half"), event(told), END)
    assert (await fails(complete(generator, asking()))).code == code


@pytest.mark.parametrize(
    "status, body, code",
    [
        (401, {}, errors.MODEL_NOT_LOADED),
        (404, {"error": "no such model"}, errors.MODEL_NOT_LOADED),
        (400, {"error": {"message": "This model's maximum context length is 10 tokens"}}, errors.INPUT_TOO_LONG),
        (400, {"error": {"message": "temperature is not supported"}}, errors.BAD_ARGUMENT),
        (402, {}, errors.BUDGET_SPENT),
    ],
)
async def test_a_refusal_is_an_error_of_the_list(remote, server, status, body, code):
    generator = await ready(remote(), server)
    server.always = reply(body, status)
    assert (await fails(complete(generator, asking()))).code == code
    assert len(server.bodies) == 1


async def test_a_refusal_does_not_repeat_the_prompt(remote, server):
    generator = await ready(remote(), server)
    server.always = reply({"error": {"message": f"cannot read {ASK[0]['content']}"}}, 400)
    assert "dead rows" not in (await fails(complete(generator, asking()))).message


async def test_what_servers_call_differently_is_learnt_from_a_refusal_once(remote, server):
    generator = await ready(remote(), server)
    server.script = [
        reply({"error": {"message": "Unsupported: 'max_tokens'. Use 'max_completion_tokens' instead."}}, 400),
        reply({"detail": "unknown field stream_options"}, 422),
    ]
    assert (await complete(generator, asking(max_tokens=5))).text == "VACUUM does."
    assert (await complete(generator, asking(max_tokens=6))).text == "VACUUM does."
    assert len(server.bodies) == 4
    assert server.bodies[-1]["max_completion_tokens"] == 6 and "stream_options" not in server.bodies[-1]


async def test_no_more_requests_are_under_way_than_the_option_says(remote, server):
    generator = await ready(remote(concurrency=3), server)
    server.always = said("x")
    found = await complete_all(generator, [asking(lane="bulk") for _ in range(20)])
    assert {one.text for one in found} == {"x"} and server.most_at_once <= 3


async def test_who_waits_for_a_place_in_vain_is_told_busy(remote, server):
    generator = await ready(remote(concurrency=1, timeout_s=1), server)
    server.always = stream(delta("a"))
    server.hold = 600
    first = asyncio.create_task(complete(generator, asking(whole=False)))
    await until(lambda: generator.running)
    error = await fails(complete(generator, asking()))
    assert error.code in (errors.HOST_BUSY, errors.HOST_DOWN)
    assert (await fails(first)).code == errors.HOST_DOWN


async def test_a_cancel_frees_the_place_and_closes_the_connection(remote, server):
    generator = await ready(remote(concurrency=1, timeout_s=600), server)
    server.script = [stream(delta("a"))]
    server.hold = 600
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(generator.stream(GenerationRequest(ASK))) as found:
            async for _ in found:
                begun.set()

    task = asyncio.create_task(read())
    async with asyncio.timeout(60):
        await begun.wait()
    assert generator.running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert generator.running == 0
    await until(lambda: server.aborted)  # long before server or time-out would have ended it
    assert (await complete(generator, asking())).text == "VACUUM does."


async def test_a_schema_is_asked_for_and_checked(remote, server):
    generator = await ready(remote(), server)
    server.script = [said('{"n":', " 3}")]
    found = await complete(generator, asking(constraint=SCHEMA))
    assert found.text == '{"n": 3}' and found.complete
    asked = server.bodies[-1]["response_format"]
    assert asked["type"] == "json_schema" and asked["json_schema"]["schema"] == SCHEMA.value
    assert asked["json_schema"]["strict"] is True


@pytest.mark.parametrize("wrong", ["no JSON at all", '{"n": "three"}', "{}", '{"n": 3, "m": 4}', "[]"])
async def test_an_answer_that_does_not_keep_the_schema_is_asked_for_anew_with_what_is_wrong(remote, server, wrong):
    generator = await ready(remote(), server)
    server.script = [said(wrong), said('{"n": 3}')]
    assert (await complete(generator, asking(constraint=SCHEMA))).text == '{"n": 3}'
    assert [message["role"] for message in server.bodies[-1]["messages"]] == ["user", "assistant", "user"]
    server.always = said(wrong)
    assert (await fails(complete(generator, asking(constraint=SCHEMA)))).code == errors.MODEL_NOT_LOADED


@pytest.mark.parametrize(
    "constraint, answer, text",
    [
        (SCHEMA, '```json\n{"n": 3}\n```', '{"n": 3}'),
        (SCHEMA, ' {"n": 3}\n', '{"n": 3}'),
        (Constraint("choices", ["yes", "no"]), "yes\n", "yes"),
        (Constraint("choices", ["yes", "no"]), '```json\n{"answer": "no"}\n```', "no"),
        (Constraint("choices", [" yes", "yes"]), " yes", " yes"),
    ],
)
async def test_what_a_server_puts_around_an_answer_is_taken_off(remote, server, constraint, answer, text):
    generator = await ready(remote(), server)
    server.script = [said(answer)]
    assert (await complete(generator, asking(constraint=constraint))).text == text


async def test_a_schema_cut_by_the_bound_of_tokens_is_not_complete(remote, server):
    generator = await ready(remote(), server)
    server.script = [said('{"n":', reason="length")]
    found = await complete(generator, asking(constraint=SCHEMA))
    assert (found.text, found.finish_reason, found.complete) == ('{"n":', "length", False)


async def test_a_schema_of_words_that_strict_servers_refuse_is_not_said_to_be_strict(remote, server):
    generator = await ready(remote(), server)
    server.script = [said('{"n": "x"}')]
    short = {**SCHEMA.value, "properties": {"n": {"type": "string", "minLength": 1}}}
    await complete(generator, asking(constraint=Constraint("schema", short)))
    assert server.bodies[-1]["response_format"]["json_schema"]["strict"] is False


async def test_a_schema_with_optional_properties_is_not_said_to_be_strict(remote, server):
    generator = await ready(remote(), server)
    server.script = [said("{}")]
    loose = Constraint("schema", {"type": "object", "properties": {"n": {"type": "integer"}}})
    await complete(generator, asking(constraint=loose))
    assert server.bodies[-1]["response_format"]["json_schema"]["strict"] is False


LETTERS = {"type": "array", "items": {"$ref": "#/$defs/letter"}}
DEFINED = {"$defs": {"letter": {"enum": ["a", "b"]}}}


@pytest.mark.parametrize("said_by_server", ['{"answer": ["a"]}', '["a"]'])
async def test_a_schema_of_no_object_is_asked_for_inside_of_one(remote, server, said_by_server):
    generator = await ready(remote(), server)
    server.script = [said(said_by_server)]
    assert (await complete(generator, asking(constraint=Constraint("schema", LETTERS | DEFINED)))).text == '["a"]'
    asked = server.bodies[-1]["response_format"]["json_schema"]["schema"]
    assert asked["type"] == "object" and asked["properties"]["answer"] == LETTERS
    assert asked["$defs"] == DEFINED["$defs"]


async def test_what_refers_to_its_own_root_is_asked_for_as_it_is(remote, server):
    generator = await ready(remote(), server)
    tree = {"type": "array", "items": {"$ref": "#"}}
    server.script = [said("[[]]")]
    assert (await complete(generator, asking(constraint=Constraint("schema", tree)))).text == "[[]]"
    assert server.bodies[-1]["response_format"]["json_schema"]["schema"] == tree


async def test_json_of_any_shape_is_asked_for_in_words_too(remote, server):
    generator = await ready(remote(), server)
    server.script = [said('{"a": 1}')]
    assert (await complete(generator, asking(constraint=Constraint("schema", True)))).text == '{"a": 1}'
    assert server.bodies[-1]["response_format"] == {"type": "json_object"}
    assert "JSON" in server.bodies[-1]["messages"][0]["content"]


WAYS = [
    ("json_schema", "choices", ["red", "green"], "response_format", '{"answer": "red"}', "red"),
    ("json_schema", "regex", "[a-z]{3}", "response_format", '{"answer": "red"}', "red"),
    ("vllm", "choices", ["red", "green"], "structured_outputs", "red", "red"),
    ("vllm", "grammar", 'start: "red"', "structured_outputs", "red", "red"),
    ("sglang", "regex", "[a-z]{3}", "regex", "red", "red"),
    ("sglang", "choices", ["red", "a.b"], "regex", "a.b", "a.b"),
    ("llama.cpp", "grammar", 'start: "red"', "grammar", "red", "red"),
    ("none", "choices", ["red", "green"], "messages", " red\n", "red"),
    ("none", "schema", True, "messages", '```json\n{"a": 1}\n```', '{"a": 1}'),
]


@pytest.mark.parametrize("way, kind, value, field, answer, text", WAYS)
async def test_each_kind_of_server_is_asked_in_its_own_way(remote, server, way, kind, value, field, answer, text):
    generator = await ready(remote(structured=way), server)
    server.script = [said(answer)]
    assert (await complete(generator, asking(constraint=Constraint(kind, value)))).text == text
    assert field in server.bodies[-1]
    assert ("response_format" in server.bodies[-1]) == (field == "response_format")


async def test_a_grammar_that_a_server_cannot_keep_is_no_such_engine(remote):
    error = await fails(complete(remote(), asking(constraint=Constraint("grammar", 'start: "a"'))))
    assert error.code == errors.UNKNOWN_ENGINE


async def test_tools_are_passed_on_and_calls_come_back_as_data(remote, server):
    generator = await ready(remote(), server)
    first = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": '{"city": '}}
    second = {"index": 0, "function": {"arguments": '"Rome"}'}}
    server.script = [stream(delta(tool_calls=[first]), delta(tool_calls=[second]), delta(reason="tool_calls"), END)]
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    found = await complete(generator, asking(tools=[tool]))
    assert found.tool_calls == [{"id": "call_1", "name": "weather", "arguments": {"city": "Rome"}}]
    assert found.finish_reason == "tool_calls" and server.bodies[-1]["tools"] == [tool]
    call = {"role": "assistant", "content": "", "tool_calls": found.tool_calls}
    answered = [*ASK, call, {"role": "tool", "tool_call_id": "call_1", "content": "21"}]
    await complete(generator, GenerationRequest(answered, whole=True))
    sent = server.bodies[-1]["messages"][1]["tool_calls"][0]
    assert sent["function"] == {"name": "weather", "arguments": '{"city":"Rome"}'} and sent["id"] == "call_1"


async def test_the_reasoning_of_a_model_is_not_in_its_text(remote, server):
    generator = await ready(remote(), server)
    server.script = [stream(delta(reasoning_content="hm"), delta("yes"), delta(reason="stop"), END)]
    assert (await complete(generator, asking())).text == "yes"


@pytest.mark.parametrize(
    "pieces, text",
    [
        (["<think>", "is it", "?</th", "ink>\n\n", "yes"], "yes"),
        (["\n<th", "ink>hm</think> yes", " and no"], "yes and no"),
        (["<think>not come to an end"], ""),
        (["<thi", "s> is a word"], "<this> is a word"),
        (["<th"], "<th"),
        (["\n", "yes <think>no</think>"], "\nyes <think>no</think>"),
    ],
)
async def test_what_a_model_thinks_first_is_not_in_its_text_either(remote, server, pieces, text):
    generator = await ready(remote(), server)
    for whole in (True, False):
        server.script = [said(*pieces)]
        assert (await complete(generator, asking(whole=whole))).text == text


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", ""])
async def test_an_answer_of_another_kind_of_content_is_an_error(remote, server, kind):
    generator = await ready(remote(), server)
    page = b"<html>Sign in to the wireless network</html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(page)}\r\n\r\n"
    server.always = head.encode() + page
    assert (await fails(complete(generator, asking()))).code == errors.MODEL_NOT_LOADED


@pytest.mark.parametrize("told", [{"error": {"message": "out of tokens", "code": 500}}, {"error": "down"}, {}, []])
async def test_a_success_with_an_error_inside_is_an_error(remote, server, told):
    generator = await ready(remote(), server)
    server.always = reply(told, 200, "Content-Type: application/json\r\n")
    assert (await fails(complete(generator, asking()))).code in (errors.HOST_DOWN, errors.MODEL_NOT_LOADED)


@pytest.mark.parametrize("what", [b": still here\n\n", b'data: {"choices": []}\n\n', None])
async def test_a_stream_that_never_ends_is_given_up_in_time(remote, server, what):
    generator = await ready(remote(timeout_s=1), server)
    server.always, server.endless = stream(), delta("x") if what is None else chunk(what)
    async with asyncio.timeout(60):
        assert (await fails(complete(generator, asking()))).code == errors.HOST_DOWN
    assert generator.running == 0


async def test_a_body_without_an_end_is_cut_off(remote, server, monkeypatch):
    monkeypatch.setattr("pglore_host.remote.server.ANSWER_BYTES", 100_000)
    generator = await ready(remote(timeout_s=600), server)
    server.always, server.endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[", b"1," * 5000
    async with asyncio.timeout(60):
        assert (await fails(complete(generator, asking()))).code == errors.MODEL_NOT_LOADED


async def test_a_flood_is_cut_off(remote, server, monkeypatch):
    monkeypatch.setattr("pglore_host.remote.server.ANSWER_BYTES", 10_000)
    generator = await ready(remote(), server)
    server.always = stream(*[delta("x" * 1000)] * 20, END)
    assert (await fails(complete(generator, asking()))).code == errors.MODEL_NOT_LOADED
    server.always = stream(chunk(b"data: " + b"x" * 20_000))
    assert (await fails(complete(generator, asking()))).code in (errors.MODEL_NOT_LOADED, errors.HOST_DOWN)


@pytest.mark.parametrize("options", [{"protocol": "tei"}, {"structured": "guidance"}, {"structured": 7}])
def test_an_option_that_a_generator_cannot_have_is_refused(remote, options):
    with pytest.raises(HostError) as caught:
        remote(**options)
    assert caught.value.code == errors.BAD_ARGUMENT


async def test_loading_asks_for_no_text_which_may_cost(remote, server):
    await remote().ready()
    assert server.bodies == [{}] and "GET /v1/models" in server.heads[0]


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": ["x"], "finish_reason": "stop"},
        {"delta": "x", "finish_reason": "stop"},
        {"delta": {"tool_calls": [{"index": 0, "function": "f"}]}, "finish_reason": "stop"},
        {"delta": {"tool_calls": [{"index": [0], "function": {"name": "f"}}]}, "finish_reason": "stop"},
        {"delta": {"tool_calls": [{"index": 0, "function": {"name": ["f"]}}]}, "finish_reason": "stop"},
    ],
)
async def test_a_message_of_another_shape_is_an_error_of_the_list(remote, server, choice):
    generator = await ready(remote(), server)
    server.always = stream(event({"choices": [choice]}), END)
    assert (await fails(complete(generator, asking()))).code == errors.MODEL_NOT_LOADED


@pytest.mark.parametrize("counts", [(-700, 5), (7, -5), (1 << 31, 5)])
async def test_tokens_that_cannot_be_are_not_told(remote, server, counts):
    generator = await ready(remote(), server)
    usage = dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))
    server.always = said("yes", usage=usage)
    found = (await complete(generator, asking())).usage
    assert found.prompt_tokens == 0 and found.completion_tokens == 1
