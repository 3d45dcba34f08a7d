"""Chat model of LangChain: `lore.chat` and `lore.chat_stream`."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from operator import itemgetter
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.language_models.llms import create_base_retry_decorator
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils import secret_from_env
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ConfigDict, Field, SecretStr

from ..errors import BadArgument, TryAgain, UnknownEngine
from ..generate import ChatOptions, Generation
from ..objects import closed
from ..pool import Pool, shared

OWN = ("model", "temperature", "max_tokens", "top_p", "seed")  # fields that are options of lore.chat, beside stop

UNSAID = ("tool_call", "tool_call_chunk", "invalid_tool_call", "reasoning", "thinking")


class ChatPglore(BaseChatModel):
    """A language model that the database names by an alias.

    `bind(choices=[...])`, or regex=, grammar= or schema=, keeps what it writes to that; so does
    `with_structured_output`. `bind_tools` describes tools to it, whose calls come back as data.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str | None = None
    """Alias of a generator; None is the default one."""
    dsn: SecretStr | None = Field(default_factory=secret_from_env("PGLORE_DSN", default=None))
    pool: Pool | None = Field(default=None, exclude=True, repr=False)
    temperature: float | None = 0
    """0 takes the likeliest token each time; None is a server's own."""
    max_tokens: int | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    timeout: float | None = None
    """Seconds that a statement may take: a whole answer, or the wait for the next piece of one."""
    max_retries: int = 0
    """How often a call is tried again that fails for now (pglore.TryAgain), after 4 to 10 seconds."""
    streaming: bool = False
    """Whether `invoke` too goes through a stream, so that callbacks see the pieces."""

    @property
    def _llm_type(self) -> str:
        return "pglore"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in (*OWN, "stop")}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        found = super()._get_ls_params(stop=stop, **kwargs)
        return {**found, "ls_model_name": kwargs.get("model") or self.model or "default"}

    def get_num_tokens(self, text: str) -> int:
        """Tokens of a text as the model counts them; as the default embedder does, where that is up to a server."""
        with self._pool().client(self.timeout) as lore:
            try:
                return lore.tokens(text, model=self.model)
            except UnknownEngine:
                return lore.tokens(text)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        said, options = spoken(messages), self._options(stop, kwargs)

        @self._again(run_manager)
        def call() -> ChatResult:
            with self._pool().client(self.timeout) as lore:
                return _result(lore.chat(said, **options))

        return call()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        said, options = spoken(messages), self._options(stop, kwargs)

        @self._again(run_manager)
        async def call() -> ChatResult:
            async with self._pool().aclient(self.timeout) as lore:
                return _result(await lore.chat(said, **options))

        return await call()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        said, options = spoken(messages), self._options(stop, kwargs)
        with self._pool().client(self.timeout) as lore, closing(lore.chat_stream(said, **options)) as pieces:
            for piece in pieces:
                chunk = _chunk(piece)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        said, options = spoken(messages), self._options(stop, kwargs)
        async with (
            self._pool().aclient(self.timeout) as lore,
            aclosing(lore.chat_stream(said, **options)) as pieces,
        ):
            async for piece in pieces:
                chunk = _chunk(piece)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable | BaseTool],
        *,
        tool_choice: str | dict | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools described to it. That one is called cannot be forced: tool_choice is "auto" or "none".

        raises  when it is called: BadArgument for another tool_choice
        """
        described = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=described, **({} if tool_choice is None else {"tool_choice": tool_choice}), **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """The model kept to a schema: objects of a pydantic class, or mappings for a TypedDict or a JSON schema.

        method  whichever is named, what is written is kept to the schema, token by token where the model runs here
        strict  False lets objects have properties that the schema does not name
        """
        if kwargs:
            raise BadArgument(f"with_structured_output takes no argument {', '.join(sorted(kwargs))}")
        asked = convert_to_json_schema(schema)
        told = {"kwargs": {"method": method}, "schema": asked}
        made = isinstance(schema, type) and is_basemodel_subclass(schema)
        parser: Any = JsonOutputParser()
        if made:
            parser = PydanticOutputParser(pydantic_object=schema)  # type: ignore[arg-type]
        kept = asked if strict is False else closed(asked, sets=made)
        llm = self.bind(schema=kept, ls_structured_output_format=told)
        if not include_raw:
            return llm | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=llm) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _pool(self) -> Pool:
        return self.pool or shared(None if self.dsn is None else self.dsn.get_secret_value())

    def _again(self, run_manager: Any) -> Callable:
        return create_base_retry_decorator([TryAgain], max_retries=1 + self.max_retries, run_manager=run_manager)

    def _options(self, stop: list[str] | None, given: dict[str, Any]) -> Any:
        """The arguments of lore.chat. raises BadArgument for one that it does not take"""
        options = {name: getattr(self, name) for name in OWN} | {"stop": stop or self.stop or None} | given
        choice = options.pop("tool_choice", None)
        if choice == "none":
            options.pop("tools", None)
        elif choice not in (None, "auto", False):
            hint = "Leave tool_choice out, or ask for the arguments themselves: with_structured_output."
            raise BadArgument(f"a call of a tool cannot be forced: tool_choice {choice!r}", hint=hint)
        if form := options.pop("response_format", None):  # OpenAI's name for it, which agents use
            options["schema"] = form["json_schema"]["schema"] if "json_schema" in form else True
            options.pop("strict", None)
        if unknown := options.keys() - ChatOptions.__annotations__.keys():
            raise BadArgument(f"lore.chat takes no argument {', '.join(sorted(unknown))}")
        return options


def spoken(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as lore.chat reads them; what is no text in them it refuses, as BadArgument."""
    return convert_to_openai_messages([_said(message) for message in messages], text_format="string")  # type: ignore[return-value]


def _said(message: BaseMessage) -> BaseMessage:
    """One message without what its content repeats (calls of tools) or was never said (reasoning)."""
    if isinstance(message.content, str):
        return message
    content = [part for part in message.content if isinstance(part, str) or part.get("type") not in UNSAID]
    return message.model_copy(update={"content": content})


def _calls(found: Generation) -> list[dict[str, Any]]:
    """Calls of tools, each with an id: a model that runs here gives none."""
    return [{**call, "id": call.get("id") or f"call_{uuid.uuid4().hex}"} for call in found.tool_calls or []]


def _usage(found: Generation) -> UsageMetadata | None:
    if found.prompt_tokens is None or found.completion_tokens is None:
        return None
    read, written = found.prompt_tokens, found.completion_tokens
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _told(found: Generation) -> dict[str, Any]:
    if found.finish_reason is None:  # a piece that is not the last
        return {}
    return {"model_name": found.model, "finish_reason": found.finish_reason, "timings": found.timings or {}}


def _result(found: Generation) -> ChatResult:
    calls = [{"name": c["name"], "args": c["arguments"], "id": c["id"], "type": "tool_call"} for c in _calls(found)]
    message = AIMessage(
        content=found.text, tool_calls=calls, usage_metadata=_usage(found), response_metadata=_told(found)
    )
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=_told(found))])


def _chunk(piece: Generation) -> ChatGenerationChunk:
    calls = [
        tool_call_chunk(name=call["name"], args=json.dumps(call["arguments"]), id=call["id"], index=number)
        for number, call in enumerate(_calls(piece))
    ]
    last = piece.finish_reason is not None
    message = AIMessageChunk(
        content=piece.text, tool_call_chunks=calls, usage_metadata=_usage(piece) if last else None,
        response_metadata=_told(piece), chunk_position="last" if last else None,
    )  # fmt: skip
    return ChatGenerationChunk(message=message)
