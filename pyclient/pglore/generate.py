"""Text from a prompt or a conversation: at once, in pieces, or as an object of a class."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from .call import Statement, build, call, first
from .objects import Maker
from .session import AsyncSession, Session

if TYPE_CHECKING:
    from typing import Unpack

T = TypeVar("T")


class GenerationOptions(TypedDict, total=False):
    """What a generator may be told; what is left out is as in SQL: lore.generate_result says what each means."""

    model: str | None
    schema: Mapping[str, Any] | bool | None
    choices: Sequence[str] | None
    regex: str | None
    grammar: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: Sequence[str] | None
    seed: int | None


class PromptOptions(GenerationOptions, total=False):
    """The same for a prompt."""

    system: str | None


class ChatOptions(GenerationOptions, total=False):
    """The same for a conversation."""

    tools: Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Generation:
    """A text that a model wrote; or a piece of it, of which the last alone has more than its text."""

    text: str
    parsed: Any
    tool_calls: list[dict[str, Any]] | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    timings: dict[str, float] | None
    model: str | None

    def __str__(self) -> str:
        return self.text


def _call(function: str, options: Mapping[str, Any], **given: Any) -> Statement:
    """raises TypeError for an option that the function does not take"""
    known = PromptOptions if "generate" in function else ChatOptions
    if unknown := options.keys() - known.__annotations__.keys():
        raise TypeError(f"{function} takes no argument {', '.join(sorted(unknown))}")
    return call(function, **{**given, **options})


def _pieces(function: str, options: Mapping[str, Any], **given: Any) -> Statement:
    """In the select list, where PostgreSQL hands each row on as it comes; in FROM it would collect them."""
    statement, parameters = _call(function, options, **given)
    inner = statement.replace(b"SELECT * FROM", b"SELECT", 1)
    return b"SELECT (s.piece).* FROM (" + inner + b" AS piece OFFSET 0) AS s", parameters


class AsyncGenerate(AsyncSession):
    @overload
    async def generate(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, prompt: str, **options: Unpack[PromptOptions]
    ) -> str: ...

    @overload
    async def generate(self, prompt: Sequence[str | None], **options: Unpack[PromptOptions]) -> list[str | None]: ...

    async def generate(self, prompt: str | Sequence[str | None], **options: Unpack[PromptOptions]) -> Any:
        """What a generator answers to a prompt; the answers to a list of them, in its order, written together.

        raises  EmptyInput, InputTooLong, BadArgument, BadSchema, UnknownModel, UnknownEngine, HostBusy
        """
        if isinstance(prompt, str):
            return first(await self._rows(_call("lore.generate", options, prompt=prompt)))
        return first(await self._rows(_call("lore.generate", options, prompts=prompt)))

    async def generate_result(self, prompt: str, **options: Unpack[PromptOptions]) -> Generation:
        """The same with its parsed JSON, finish reason, tokens and times."""
        rows = await self._rows(_call("lore.generate_result", options, prompt=prompt))
        return build(Generation, rows[0])

    async def generate_as(self, kind: type[T], prompt: str, **options: Unpack[PromptOptions]) -> T:
        """What a generator answers, as an object of a dataclass, a pydantic model or any type that pydantic knows.

        What it writes is kept to the class's schema; `max_tokens` has to be enough for the whole of it.
        raises  as generate, and BadArgument for a class without a JSON schema, an answer cut by max_tokens or one that
                a rule of the class turns down
        """
        maker = Maker(kind)
        return maker.make(await self.generate_result(prompt, **maker.options(options)))

    async def generate_stream(self, prompt: str, **options: Unpack[PromptOptions]) -> AsyncGenerator[Generation]:
        """The pieces of an answer as they come; to close the iterator stops the model.

        They come through a cursor, so a transaction stays open until the last: of its own where none is.
        """
        async with aclosing(self._stream(_pieces("lore.generate_stream", options, prompt=prompt))) as rows:
            async for row in rows:
                yield build(Generation, row)

    async def chat(self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]) -> Generation:
        """The assistant's next message in a conversation; calls of tools come back as data.

        messages  [{"role": "system" | "user" | "assistant" | "tool", "content": "..."}]
        """
        rows = await self._rows(_call("lore.chat", options, messages=messages))
        return build(Generation, rows[0])

    async def chat_as(self, kind: type[T], messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]) -> T:
        """The assistant's next message as an object of a class: see generate_as."""
        maker = Maker(kind)
        return maker.make(await self.chat(messages, **maker.options(options)))

    async def chat_stream(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> AsyncGenerator[Generation]:
        """The same in pieces as they come; to close the iterator stops the model."""
        async with aclosing(self._stream(_pieces("lore.chat_stream", options, messages=messages))) as rows:
            async for row in rows:
                yield build(Generation, row)


# Below: the same without async, written by `python pyclient/derive.py`.


class Generate(Session):
    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, prompt: str, **options: Unpack[PromptOptions]
    ) -> str: ...

    @overload
    def generate(self, prompt: Sequence[str | None], **options: Unpack[PromptOptions]) -> list[str | None]: ...

    def generate(self, prompt: str | Sequence[str | None], **options: Unpack[PromptOptions]) -> Any:
        """What a generator answers to a prompt; the answers to a list of them, in its order, written together.

        raises  EmptyInput, InputTooLong, BadArgument, BadSchema, UnknownModel, UnknownEngine, HostBusy
        """
        if isinstance(prompt, str):
            return first(self._rows(_call("lore.generate", options, prompt=prompt)))
        return first(self._rows(_call("lore.generate", options, prompts=prompt)))

    def generate_result(self, prompt: str, **options: Unpack[PromptOptions]) -> Generation:
        """The same with its parsed JSON, finish reason, tokens and times."""
        rows = self._rows(_call("lore.generate_result", options, prompt=prompt))
        return build(Generation, rows[0])

    def generate_as(self, kind: type[T], prompt: str, **options: Unpack[PromptOptions]) -> T:
        """What a generator answers, as an object of a dataclass, a pydantic model or any type that pydantic knows.

        What it writes is kept to the class's schema; `max_tokens` has to be enough for the whole of it.
        raises  as generate, and BadArgument for a class without a JSON schema, an answer cut by max_tokens or one that
                a rule of the class turns down
        """
        maker = Maker(kind)
        return maker.make(self.generate_result(prompt, **maker.options(options)))

    def generate_stream(self, prompt: str, **options: Unpack[PromptOptions]) -> Generator[Generation]:
        """The pieces of an answer as they come; to close the iterator stops the model.

        They come through a cursor, so a transaction stays open until the last: of its own where none is.
        """
        with closing(self._stream(_pieces("lore.generate_stream", options, prompt=prompt))) as rows:
            for row in rows:
                yield build(Generation, row)

    def chat(self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]) -> Generation:
        """The assistant's next message in a conversation; calls of tools come back as data.

        messages  [{"role": "system" | "user" | "assistant" | "tool", "content": "..."}]
        """
        rows = self._rows(_call("lore.chat", options, messages=messages))
        return build(Generation, rows[0])

    def chat_as(self, kind: type[T], messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]) -> T:
        """The assistant's next message as an object of a class: see generate_as."""
        maker = Maker(kind)
        return maker.make(self.chat(messages, **maker.options(options)))

    def chat_stream(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> Generator[Generation]:
        """The same in pieces as they come; to close the iterator stops the model."""
        with closing(self._stream(_pieces("lore.chat_stream", options, messages=messages))) as rows:
            for row in rows:
                yield build(Generation, row)
