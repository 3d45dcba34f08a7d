"""LlamaIndex over pglore. It publishes no suite for adapters: these run what of LlamaIndex uses them."""

import asyncio
from contextlib import aclosing

import psycopg
import pytest
from llama_index.core import PromptTemplate
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, QueryBundle
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

import pglore
from pglore.llamaindex import PgloreEmbedding, PgloreLLM, PgloreRetriever

CALL = "What is the value of magic_function(3)? Use the tool."


class Joke(BaseModel):
    """A joke to tell."""

    setup: str
    punchline: str


@pytest.fixture
def llm(taught) -> PgloreLLM:
    return PgloreLLM(taught, max_tokens=100)


def magic_function(input: int) -> int:
    """Add two."""
    return input + 2


TOOL = FunctionTool.from_defaults(magic_function)


def test_the_classes_are_what_llamaindex_takes_them_for():
    assert issubclass(PgloreEmbedding, BaseEmbedding)
    assert issubclass(PgloreLLM, FunctionCallingLLM)
    assert issubclass(PgloreRetriever, BaseRetriever)
    assert PgloreLLM("m", max_tokens=7).metadata.num_output == 7
    for made in (
        PgloreLLM("m", dsn="postgresql://ann:hush@x/y"),
        PgloreEmbedding("m", dsn="postgresql://ann:hush@x/y"),
    ):
        assert "hush" not in made.to_json() + repr(made) and made.to_dict()["class_name"] == type(made).__name__


async def test_answers_and_their_pieces_are_the_same_sync_and_async(llm):
    said = [ChatMessage("Hello")]
    whole = llm.chat(said)
    assert whole.message.content == "Hello, you!" and whole.additional_kwargs["completion_tokens"] > 0
    assert whole.raw["finish_reason"] == "stop"
    assert (await llm.achat(said)).message.content == whole.message.content
    pieces = list(llm.stream_chat(said))
    assert "".join(piece.delta for piece in pieces) == pieces[-1].message.content == whole.message.content
    later = [piece async for piece in await llm.astream_chat(said)]
    assert [piece.message.content for piece in later][-1] == whole.message.content
    text = llm.complete("Hello").text
    assert text == whole.message.content == (await llm.acomplete("Hello")).text
    assert list(llm.stream_complete("Hello"))[-1].text == text
    assert [piece.text async for piece in await llm.astream_complete("Hello")][-1] == text


async def test_a_tool_is_called_by_llamaindex_not_by_pglore(llm):
    assert llm.predict_and_call([TOOL], CALL).response == "5"
    assert (await llm.apredict_and_call([TOOL], CALL)).response == "5"
    [call] = llm.get_tool_calls_from_response(list(llm.stream_chat_with_tools([TOOL], CALL))[-1])
    assert (call.tool_name, call.tool_kwargs) == ("magic_function", {"input": 3}) and call.tool_id
    with pytest.raises(ValueError, match="called no tool"):
        llm.predict_and_call([TOOL], "Hello")
    with pytest.raises(pglore.BadArgument, match="forced"):
        llm.chat_with_tools([TOOL], CALL, tool_required=True)


def test_messages_of_all_roles_are_said_and_an_image_is_refused(llm):
    call = ToolCallBlock(tool_call_id="1", tool_name="get_weather", tool_kwargs={"location": "San Francisco, CA"})
    said = [
        ChatMessage("What is the weather in San Francisco, CA?"),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Hm."), call]),
        ChatMessage("It's sunny.", role="tool", additional_kwargs={"tool_call_id": "1"}),
    ]
    assert llm.chat(said).message.content == "It is sunny there."
    assert llm.chat([ChatMessage("Be brief.", role="system"), ChatMessage("Hello")]).message.content
    with pytest.raises(pglore.BadArgument, match="message 1 holds an image"):
        llm.chat([ChatMessage([TextBlock(text="What is it?"), ImageBlock(image=b"aGk=")])])


async def test_objects_of_a_class_are_written(llm):
    prompt = PromptTemplate("Tell me a joke about {what}.")
    joke = Joke(setup="Why did the cat sit?", punchline="It could.")
    assert llm.structured_predict(Joke, prompt, what="cats") == joke
    assert await llm.astructured_predict(Joke, prompt, what="cats") == joke
    assert list(llm.stream_structured_predict(Joke, prompt, what="cats")) == [joke]
    assert llm.as_structured_llm(Joke).complete("Tell me a joke about cats.").raw == joke
    assert llm.complete("Hello", choices=["good", "bad"]).text in ("good", "bad")
    with pytest.raises(TypeError, match="logprobs"):
        llm.complete("Hello", logprobs=True)


async def test_what_is_left_or_cancelled_stops_the_model(babbler, idle_soon):
    llm = PgloreLLM(babbler, max_tokens=100000)
    pieces = llm.stream_complete("Hello")
    next(pieces)
    pieces.close()
    await asyncio.to_thread(idle_soon)
    async with aclosing(await llm.astream_chat([ChatMessage("Hello")])) as later:
        await anext(later)
    await asyncio.to_thread(idle_soon)
    with pytest.raises(psycopg.errors.QueryCanceled):
        PgloreLLM(babbler, max_tokens=100000, timeout=0.2).complete("Hello")
    await asyncio.to_thread(idle_soon)
    with pytest.raises(pglore.UnknownModel):
        PgloreLLM("none").complete("Hello")


async def test_vectors_are_those_of_the_client():
    texts = [f"text {number}" for number in range(12)]
    with pglore.connect() as lore:
        want, query = lore.embed(texts), lore.embed("a", input_type="query")
    assert PgloreEmbedding(embed_batch_size=5).get_text_embedding_batch(texts) == want
    assert await PgloreEmbedding().aget_text_embedding_batch(texts) == want
    assert PgloreEmbedding().get_text_embedding(texts[0]) == pytest.approx(want[0], abs=1e-3)
    assert PgloreEmbedding().get_query_embedding("a") == await PgloreEmbedding().aget_query_embedding("a") == query
    assert len(PgloreEmbedding(dimensions=64).get_query_embedding("a")) == 64


async def test_nodes_tell_what_is_known_of_each_hit():
    retriever = PgloreRetriever("pages", k=2, filter={"year": {"$gte": 2021}}, rerank="default")
    with pglore.connect() as lore:
        hits = lore.collection("pages").search("a backup", **retriever.options)
        vector = lore.embed("a backup", input_type="query")
    for found in (retriever.retrieve("a backup"), await retriever.aretrieve("a backup")):
        assert [(one.text, one.score) for one in found] == [(hit.content, hit.score) for hit in hits]
        assert found[0].metadata["year"] == 2024 and found[0].metadata["pglore"]["rerank_score"] is not None
        assert found[0].node.relationships[NodeRelationship.SOURCE].node_id == "backup"
        assert "pglore" not in found[0].get_content("llm") and "2024" in found[0].get_content("llm")
    assert retriever.retrieve(QueryBundle("a backup", embedding=vector))[0].text == hits[0].content
    with pytest.raises(TypeError, match="kk"):
        PgloreRetriever("pages", kk=2)
    with pytest.raises(pglore.UnknownCollection):
        PgloreRetriever("none").retrieve("a backup")


async def test_several_collections_are_searched_as_one():
    with pglore.connect() as lore:
        lore.create_collection("others", if_not_exists=True).add("dump", "pg_dump makes a backup of a database.")
    retriever = PgloreRetriever(["pages", "others"], k=2)
    for found in (retriever.retrieve("a backup"), await retriever.aretrieve("a backup")):
        assert {one.metadata["pglore"]["collection"] for one in found} == {"pages", "others"}
        assert len({one.node_id for one in found}) == 2
    with pglore.connect() as lore:
        vector = lore.embed("a backup", input_type="query")
    varied = PgloreRetriever(["pages", "others"], k=2, fusion="rrf", diversity=0.3, neighbours=1)
    assert len(varied.retrieve(QueryBundle("a backup", embedding=vector))) == 2


def test_a_query_engine_answers_from_a_collection(llm):
    engine = RetrieverQueryEngine.from_args(PgloreRetriever("pages", k=2), llm=llm)
    answer = engine.query("Hello")
    assert len(answer.source_nodes) == 2 and isinstance(answer.response, str)
