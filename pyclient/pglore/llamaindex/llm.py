"""Language model of LlamaIndex: `lore.generate`, `lore.chat` and their streams."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.bridge.pydantic import BaseModel, Field, PrivateAttr
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import PromptTemplate

from ..errors import BadArgument
from ..generate import Generation
from ..pool import Pool, shared

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

OWN = ("model", "temperature", "max_tokens", "top_p", "stop", "seed")  # fields that are options of lore.chat


class PgloreLLM(FunctionCallingLLM):
    """A language model that the database names by an alias.

    Each call takes schema=, choices=, regex= or grammar= too, which keep what is written to that; `structured_predict`
    and `as_structured_llm` keep it to a class.
    """

    model: str | None = Field(default=None, description="Alias of a generator; None is the default one.")
    temperature: float | None = Field(default=0, description="0 takes the likeliest token each time.")
    max_tokens: int | None = Field(default=None, description="Bound of a text; None is the model's own.")
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    timeout: float | None = Field(default=None, description="Seconds that a statement may take.")
    context_window: int = Field(default=DEFAULT_CONTEXT_WINDOW, description="Tokens that prompts are packed to.")
    is_function_calling_model: bool = Field(default=True, description="Whether the model knows how to call tools.")
    _pool: Pool = PrivateAttr()

    def __init__(self, model: str | None = None, *, dsn: str | None = None, pool: Pool | None = None, **data: Any):
        super().__init__(model=model, **data)
        self._pool = pool or shared(dsn)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores it."""
        return "PgloreLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex packs prompts and chooses programs by."""
        given: dict[str, Any] = {} if self.max_tokens is None else {"num_output": self.max_tokens}
        return LLMMetadata(
            context_window=self.context_window,
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model or "default",
            **given,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The assistant's next message."""
        with self._pool.client(self.timeout) as lore:
            return _response(lore.chat(spoken(messages), **self._options(kwargs)))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The same as chat."""
        async with self._pool.aclient(self.timeout) as lore:
            return _response(await lore.chat(spoken(messages), **self._options(kwargs)))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The same in pieces as they come; to close the iterator stops the model."""

        def pieces() -> Generator[ChatResponse]:
            said, options = "", self._options(kwargs)
            with (
                self._pool.client(self.timeout) as lore,
                closing(lore.chat_stream(spoken(messages), **options)) as stream,
            ):
                for piece in stream:
                    said += piece.text
                    yield _response(piece, said)

        return pieces()

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """The same as stream_chat."""

        async def pieces() -> AsyncGenerator[ChatResponse]:
            said, options = "", self._options(kwargs)
            async with (
                self._pool.aclient(self.timeout) as lore,
                aclosing(lore.chat_stream(spoken(messages), **options)) as stream,
            ):
                async for piece in stream:
                    said += piece.text
                    yield _response(piece, said)

        return pieces()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """What the model answers to a prompt."""
        with self._pool.client(self.timeout) as lore:
            return _completion(lore.generate_result(prompt, **self._options(kwargs)))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The same as complete."""
        async with self._pool.aclient(self.timeout) as lore:
            return _completion(await lore.generate_result(prompt, **self._options(kwargs)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The same in pieces as they come; to close the iterator stops the model."""

        def pieces() -> Generator[CompletionResponse]:
            said, options = "", self._options(kwargs)
            with self._pool.client(self.timeout) as lore, closing(lore.generate_stream(prompt, **options)) as stream:
                for piece in stream:
                    said += piece.text
                    yield _completion(piece, said)

        return pieces()

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """The same as stream_complete."""

        async def pieces() -> AsyncGenerator[CompletionResponse]:
            said, options = "", self._options(kwargs)
            async with (
                self._pool.aclient(self.timeout) as lore,
                aclosing(lore.generate_stream(prompt, **options)) as stream,
            ):
                async for piece in stream:
                    said += piece.text
                    yield _completion(piece, said)

        return pieces()

    def structured_predict(
        self, output_cls: type[BaseModel], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> Any:
        """An object of a class, to whose schema what is written is kept."""
        with self._pool.client(self.timeout) as lore:
            said = spoken(self._extend_messages(prompt.format_messages(llm=self, **args)))
            return lore.chat_as(output_cls, said, **self._options(llm_kwargs or {}))

    async def astructured_predict(
        self, output_cls: type[BaseModel], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> Any:
        """The same as structured_predict."""
        async with self._pool.aclient(self.timeout) as lore:
            said = spoken(self._extend_messages(prompt.format_messages(llm=self, **args)))
            return await lore.chat_as(output_cls, said, **self._options(llm_kwargs or {}))

    def stream_structured_predict(self, *given: Any, **args: Any) -> Generator[Any]:
        """The one object of structured_predict: half an object is none."""
        yield self.structured_predict(*given, **args)

    async def astream_structured_predict(self, *given: Any, **args: Any) -> AsyncGenerator[Any]:
        """The same as stream_structured_predict."""

        async def one() -> AsyncGenerator[Any]:
            yield await self.astructured_predict(*given, **args)

        return one()

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        if tool_required:
            raise BadArgument("a call of a tool cannot be forced", hint="Use structured_predict for its arguments.")
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(ChatMessage(user_msg, role="user") if isinstance(user_msg, str) else user_msg)
        described = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        return {"messages": messages, "tools": described or None, **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls of tools in an answer. raises ValueError where there is none and one must be"""
        calls = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if not calls and error_on_no_tool_call:
            raise ValueError(f"the model called no tool, and said: {response.message.content or ''}")
        return [
            ToolSelection(tool_id=call.tool_call_id or "", tool_name=call.tool_name, tool_kwargs=call.tool_kwargs)  # type: ignore[arg-type]
            for call in calls
        ]

    def _options(self, given: dict[str, Any]) -> Any:
        return {name: getattr(self, name) for name in OWN} | given


def spoken(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Messages as lore.chat reads them; what is no text in them it refuses, as BadArgument."""
    return [_said(message) for message in messages]


def _said(message: ChatMessage) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role.value}
    calls, parts = [], []
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            calls.append({"id": block.tool_call_id, "name": block.tool_name, "arguments": block.tool_kwargs})
        elif isinstance(block, TextBlock):
            parts.append({"type": "text", "text": block.text})
        elif not isinstance(block, ThinkingBlock):  # what was thought was never said
            parts.append({"type": block.block_type})
    if calls:
        found["tool_calls"] = calls
    if message.role is MessageRole.TOOL and (number := message.additional_kwargs.get("tool_call_id")):
        found["tool_call_id"] = number
    return {**found, "content": parts}


def _response(found: Generation, said: str | None = None) -> ChatResponse:
    """An answer; of a stream a piece, with all that was said up to it."""
    calls = [
        ToolCallBlock(
            tool_call_id=call.get("id") or f"call_{uuid.uuid4().hex}",
            tool_name=call["name"],
            tool_kwargs=call["arguments"],
        )
        for call in found.tool_calls or []
    ]
    text = found.text if said is None else said
    message = ChatMessage(role=MessageRole.ASSISTANT, blocks=[TextBlock(text=text), *calls])
    delta = None if said is None else found.text
    return ChatResponse(message=message, delta=delta, raw=dataclasses.asdict(found), additional_kwargs=_usage(found))


def _completion(found: Generation, said: str | None = None) -> CompletionResponse:
    text, delta = (found.text, None) if said is None else (said, found.text)
    return CompletionResponse(text=text, delta=delta, raw=dataclasses.asdict(found), additional_kwargs=_usage(found))


def _usage(found: Generation) -> dict[str, int]:
    """Tokens by the names that LlamaIndex counts by."""
    if found.prompt_tokens is None or found.completion_tokens is None:
        return {}
    read, written = found.prompt_tokens, found.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
