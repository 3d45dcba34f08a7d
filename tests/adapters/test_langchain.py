"""LangChain's own suites, run over pglore, and what they leave open."""

import asyncio
import inspect
import json
from contextlib import aclosing

import psycopg
import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests
from pydantic import BaseModel, field_validator

import pglore
from pglore import pool
from pglore.langchain import ChatPglore, PgloreEmbeddings, PgloreRetriever, PgloreVectorStore
from pglore.search import SearchOptions


class Chat:
    """What is said of the chat model in both suites."""

    @property
    def chat_model_class(self):
        return ChatPglore

    @property
    def chat_model_params(self):
        return {"model": "taught"}

    @property
    def standard_chat_model_params(self):  # but for the key: the connection string is the only secret
        return {name: value for name, value in super().standard_chat_model_params.items() if name != "api_key"}

    @property
    def has_tool_choice(self):
        return False


class TestChatUnit(Chat, ChatModelUnitTests):
    """The chat model without a server."""

    @property
    def init_from_env_params(self):
        return {"PGLORE_DSN": "dbname=elsewhere"}, {"model": "taught"}, {"dsn": "dbname=elsewhere"}


@pytest.mark.usefixtures("taught")
class TestChat(Chat, ChatModelIntegrationTests):
    """The chat model with a tiny model that knows the answers."""

    @property
    def supports_json_mode(self):
        return True

    @property
    def supports_model_override(self):
        return True

    @property
    def model_override_value(self):
        return "taught"

    @pytest.mark.xfail(reason="forces a tool to be called, which lore.chat cannot", raises=pglore.BadArgument)
    def test_structured_few_shot_examples(self, model, my_adder_tool):
        super().test_structured_few_shot_examples(model, my_adder_tool)

    @pytest.mark.xfail(reason="forces a tool to be called, which lore.chat cannot", raises=pglore.BadArgument)
    def test_unicode_tool_call_integration(self, model):
        super().test_unicode_tool_call_integration(model)


class Vectors:
    """What is said of the embeddings in both suites."""

    @property
    def embeddings_class(self):
        return PgloreEmbeddings


class TestEmbeddingsUnit(Vectors, EmbeddingsUnitTests):
    """The embeddings without a server."""


class TestEmbeddings(Vectors, EmbeddingsIntegrationTests):
    """The embeddings."""


class TestRetriever(RetrieversIntegrationTests):
    """The retriever."""

    @property
    def retriever_constructor(self):
        return PgloreRetriever

    @property
    def retriever_constructor_params(self):
        return {"collection": "pages"}

    @property
    def retriever_query_example(self):
        return "Where do backups go?"


class TestVectorStore(VectorStoreIntegrationTests):
    """The vector store; the suite's made-up vectors are not used, as a collection makes its own."""

    @pytest.fixture
    def vectorstore(self):
        store = PgloreVectorStore("store", create={})
        yield store
        with pglore.connect() as lore:
            lore.collection("store").drop()


# What the suites leave open: the chat model.


def test_letters_of_any_script_come_through_in_a_call(taught):
    @tool
    def unicode_customer(customer_name: str, description: str) -> str:
        """Take a customer in."""
        return customer_name + description

    said = "Create a customer named '你好啊集团' (Hello Group) - a Chinese technology company"
    found = ChatPglore(model=taught).bind_tools([unicode_customer]).invoke(said)
    assert found.tool_calls[0]["args"]["customer_name"] == "你好啊集团"
    assert found.response_metadata["finish_reason"] == "tool_calls" and not found.content


def test_that_a_tool_is_called_cannot_be_forced_and_can_be_forbidden(taught):
    said, tools = "What is the value of magic_function(3)? Use the tool.", [{"name": "magic_function"}]
    model = ChatPglore(model=taught)
    for choice in ("any", "required", "magic_function", True):
        with pytest.raises(pglore.BadArgument, match="forced"):
            model.bind_tools(tools, tool_choice=choice).invoke(said)
    assert model.bind_tools(tools, tool_choice="auto").invoke(said).tool_calls
    assert not model.bind_tools(tools, tool_choice="none").invoke(said).tool_calls


def test_messages_of_all_roles_are_said_and_an_image_is_refused(taught):
    call = {"name": "f", "args": {}, "id": "1", "type": "tool_call"}
    said = [
        SystemMessage("Be brief."),
        HumanMessage("a"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("b", tool_call_id="1"),
    ]
    assert ChatPglore(model=taught).invoke(said).usage_metadata["input_tokens"] > 4
    image = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    with pytest.raises(pglore.BadArgument, match="message 1 holds an image"):
        ChatPglore(model=taught).invoke([HumanMessage([{"type": "text", "text": "What is it?"}, image])])


def test_what_is_written_is_kept_to_what_is_bound(taught):
    model = ChatPglore(model=taught)
    assert model.bind(choices=["good", "bad"]).invoke("Hello").content in ("good", "bad")
    assert model.bind(regex="[ab]{3}").invoke("Hello").content.strip("ab") == ""
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}
    assert isinstance(json.loads(model.bind(response_format=form, strict=True).invoke("Hello").content), int)
    with pytest.raises(pglore.BadArgument, match="logprobs"):
        model.bind(logprobs=True).invoke("Hello")


def test_a_structured_answer_that_breaks_a_rule_is_told_beside_what_was_written(taught):
    class Joke(BaseModel):
        setup: str
        punchline: str

        @field_validator("punchline")
        @classmethod
        def short(cls, value: str) -> str:
            if len(value) > 5:
                raise ValueError("too long")
            return value

    found = ChatPglore(model=taught).with_structured_output(Joke, include_raw=True).invoke("Tell me a joke about cats.")
    assert found["parsed"] is None and "too long" in str(found["parsing_error"])
    assert json.loads(found["raw"].content)["setup"] == "Why did the cat sit?"


def test_tokens_are_counted_by_the_database_and_not_by_a_tokenizer_of_a_hub(taught, babbler):
    with pglore.connect() as lore:
        count = lore.tokens("How many are these?", model=taught)
        assert ChatPglore(model=taught).get_num_tokens("How many are these?") == count > 0
        count = lore.tokens("How many are these?")
    assert ChatPglore(model=babbler).get_num_tokens("How many are these?") == count


def test_errors_are_those_of_the_list_and_may_be_caught_for_another_model(taught):
    with pytest.raises(pglore.UnknownModel):
        ChatPglore(model="none").invoke("Hello")
    with pytest.raises(pglore.UnknownModel):
        list(ChatPglore(model="none").stream("Hello"))
    fallback = ChatPglore(model="none").with_fallbacks([ChatPglore(model=taught)], exceptions_to_handle=(pglore.Error,))
    assert fallback.invoke("Hello").content == "Hello, you!"
    with pytest.raises(ValueError, match="temprature"):
        ChatPglore(model=taught, temprature=1)


def test_a_call_that_fails_for_now_is_tried_again(monkeypatch, taught):
    answers = iter([pglore.HostBusy("busy"), pglore.HostBusy("busy"), None])

    def chat(self, messages, **options):
        if error := next(answers):
            raise error
        return pglore.Generation("ok", None, None, "stop", 1, 1, None, "taught")

    monkeypatch.setattr(pglore.Client, "chat", chat)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    assert ChatPglore(model=taught, max_retries=2).invoke("Hello").content == "ok"
    answers = iter([pglore.HostBusy("busy")])
    with pytest.raises(pglore.HostBusy):
        ChatPglore(model=taught).invoke("Hello")


def test_a_stream_that_is_left_stops_the_model(babbler, idle_soon):
    for _ in ChatPglore(model=babbler, max_tokens=100000).stream("Hello"):
        break
    idle_soon()


async def test_a_cancelled_task_stops_the_model(babbler, working, idle_soon):
    model = ChatPglore(model=babbler, max_tokens=100000)
    task = asyncio.create_task(model.ainvoke("Hello"))
    while not await asyncio.to_thread(working):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(idle_soon)
    async with aclosing(model.astream("Hello")) as chunks:
        async for _ in chunks:
            break
    await asyncio.to_thread(idle_soon)


def test_a_timeout_ends_a_call_and_not_those_after_it(babbler, idle_soon):
    model = ChatPglore(model=babbler, max_tokens=100000, timeout=0.3)
    with pytest.raises(psycopg.errors.QueryCanceled):
        model.invoke("Hello")
    with pool.shared().client() as lore:
        assert lore.connection.execute("SHOW statement_timeout").fetchone()[0] == "0"
    idle_soon()


def test_the_connection_string_is_shown_nowhere():
    model = ChatPglore(dsn="postgresql://ann:hush@elsewhere/db")
    retriever = PgloreRetriever(collection="pages", dsn="postgresql://ann:hush@elsewhere/db")
    for text in (repr(model), repr(retriever), dumps(model), str(model.asdict()), str(retriever.model_dump())):
        assert "hush" not in text


# Embeddings, retriever, vector store.


def test_the_vectors_are_those_of_the_client():
    with pglore.connect() as lore:
        assert PgloreEmbeddings().embed_documents(["a", "b"]) == lore.embed(["a", "b"])
        assert PgloreEmbeddings(dimensions=64).embed_query("a") == lore.embed("a", input_type="query", dimensions=64)


async def test_the_retriever_tells_what_is_known_of_each_hit():
    retriever = PgloreRetriever(collection="pages", k=2, rerank="default", filter={"year": {"$gte": 2021}})
    with pglore.connect() as lore:
        hits = lore.collection("pages").search("a backup", k=2, rerank="default", filter={"year": {"$gte": 2021}})
    for found in (retriever.invoke("a backup"), await retriever.ainvoke("a backup")):
        assert [document.id for document in found] == [hit.key for hit in hits] == ["backup", "index"]
        assert found[0].page_content == hits[0].content
        known = found[0].metadata.pop("pglore")
        assert found[0].metadata == {"source": "backup", "title": "Backup", "year": 2024}
        assert known["score"] == hits[0].score and known["rerank_score"] == hits[0].rerank_score
        assert (known["rank"], known["span"]) == (1, (0, len(hits[0].content)))


def test_the_retriever_takes_what_search_takes():
    assert PgloreRetriever.model_fields.keys() >= SearchOptions.__annotations__.keys() - {"vector"}
    given = inspect.signature(pglore.Collection.search).parameters
    for name in SearchOptions.__annotations__.keys() - {"vector"}:
        assert PgloreRetriever.model_fields[name].default == given[name].default
    found = PgloreRetriever(collection="pages").invoke("backup", mode="keyword", filter={"year": 2020})
    assert [document.id for document in found] == []
    with pytest.raises(pglore.BadFilter):
        PgloreRetriever(collection="pages", filter={"$bad": 1}).invoke("backup")
    with pytest.raises(pglore.UnknownCollection):
        PgloreRetriever(collection="none").invoke("backup")


async def test_the_retriever_searches_several_collections():
    with pglore.connect() as lore:
        lore.create_collection("more").add("dump", "pg_dump makes a backup of a database.")
    retriever = PgloreRetriever(collection=["pages", "more"], k=2)
    for found in (retriever.invoke("a backup"), await retriever.ainvoke("a backup")):
        assert {document.metadata["pglore"]["collection"] for document in found} == {"pages", "more"}
    options = {"fusion": "rrf", "diversity": 0.3, "neighbours": 1, "candidates": 20, "per_document": 2}
    assert len(PgloreRetriever(collection=["pages", "more"], k=2, **options).invoke("a backup")) == 2


def test_the_store_finds_by_vector_with_scores_and_unlike_each_other():
    texts = ["Cats purr.", "Cats purr!", "A table shrinks."]
    with pglore.connect() as lore:
        store = PgloreVectorStore.from_texts(
            texts, None, [{"n": 1}, {"n": 2}, {"n": 3}], ids=["a", "b", "c"], collection="cats"
        )
        vector = lore.embed("A table shrinks.", input_type="query")
    assert store.similarity_search_by_vector(vector, k=1) == [Document("A table shrinks.", metadata={"n": 3}, id="c")]
    (first, best), (_, second) = store.similarity_search_with_score("A table shrinks.", k=2)
    assert first.id == "c" and best > second
    assert [found.id for found in store.similarity_search("cats", filter={"n": 2})] == ["b"]
    assert "c" in [found.id for found in store.max_marginal_relevance_search("Cats purr.", k=2, lambda_mult=0.1)]
    retriever = store.as_retriever(search_kwargs={"k": 1, "filter": {"n": {"$lt": 3}}})
    assert retriever.invoke("A table shrinks.")[0].id in ("a", "b")
    with pytest.raises(pglore.BadArgument, match="itself"):
        PgloreVectorStore.from_texts(texts, PgloreEmbeddings())
    with pytest.raises(pglore.BadArgument, match="no ids"):
        store.delete()


def test_a_chain_answers_from_a_collection(taught):
    prompt = ChatPromptTemplate.from_messages([("system", "Sources: {context}"), ("human", "{question}")])
    context = PgloreRetriever(collection="pages", k=2) | (lambda found: [one.page_content for one in found])
    chain = {"context": context, "question": RunnablePassthrough()} | prompt | ChatPglore(model=taught)
    assert chain.invoke("hello").usage_metadata["input_tokens"] > 10
