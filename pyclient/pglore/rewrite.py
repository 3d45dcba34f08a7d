"""Operators that make a text of another: documents, summaries, translations; of one text, or of many in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from .call import build, call, jsonb
from .objects import Maker
from .operators import AsyncOperators, Operators, Texts

if TYPE_CHECKING:
    from typing import Unpack

T = TypeVar("T")


class SummaryOptions(TypedDict, total=False):
    """How long a summary is, what matters, and who makes it."""

    max_words: int
    instruction: str | None
    model: str | None
    embedder: str | None


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what is personal in it, and how often each category was there."""

    ordinal: int
    redacted: str | None
    found: dict[str, int] | None
    decided_by: str | None
    error: str | None


class AsyncRewrite(AsyncOperators):
    @overload
    async def extract(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> Any: ...
    @overload
    async def extract(
        self,
        input: Texts,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> list[Any]: ...
    async def extract(
        self,
        input: str | Texts,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> Any:
        """What a text says, as a JSON document after a schema, or an object of the names in a list.

        raises  EmptyInput, InputTooLong, BadSchema, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        given = jsonb(schema if isinstance(schema, Mapping) else list(schema))
        return await self._operate("extract", input, schema=given, model=model, max_tokens=max_tokens)

    async def extract_as(
        self, kind: type[T], input: str, *, model: str | None = None, max_tokens: int | None = None
    ) -> T:
        """What a text says, as an object of a dataclass, a pydantic model or any type that pydantic knows.

        raises  as extract, and BadArgument for what a rule of the class turns down
        """
        maker = Maker(kind)
        return maker.read(await self.extract(input, maker.schema, model=model, max_tokens=max_tokens))

    @overload
    async def summarize(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, **options: Unpack[SummaryOptions]
    ) -> str: ...
    @overload
    async def summarize(self, input: Texts, **options: Unpack[SummaryOptions]) -> list[str | None]: ...
    async def summarize(self, input: str | Texts, **options: Unpack[SummaryOptions]) -> Any:
        """A summary of a text, or of each of many; without a language model, its most central sentences.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return await self._operate("summarize", input, **options)

    @overload
    async def translate(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> str: ...
    @overload
    async def translate(
        self, input: Texts, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> list[str | None]: ...
    async def translate(
        self, input: str | Texts, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> Any:
        """A text in another language, or each of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        named: dict[str, Any] = {"language": language, "source_language": source_language, "model": model}
        return await self._operate("translate", input, **named)

    @overload
    async def redact(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> str: ...
    @overload
    async def redact(
        self,
        input: Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> list[str | None]: ...
    async def redact(
        self,
        input: str | Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> Any:
        """A text, or each of many, with what is personal in it replaced by its category, such as [EMAIL].

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        named: dict[str, Any] = {
            "categories": categories,
            "region": region,
            "model": model,
        }
        return await self._operate("redact", input, **named)

    async def redact_result(
        self,
        inputs: Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> list[Redacted]:
        """The same of many with how often each category was found."""
        named: dict[str, Any] = {
            "categories": categories,
            "region": region,
            "model": model,
        }
        return [build(Redacted, row) for row in await self._rows(call("lore.redact_result", inputs=inputs, **named))]


# Below: the same without async, written by `python pyclient/derive.py`.


class Rewrite(Operators):
    @overload
    def extract(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> Any: ...
    @overload
    def extract(
        self,
        input: Texts,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> list[Any]: ...
    def extract(
        self,
        input: str | Texts,
        schema: Mapping[str, Any] | Sequence[str],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> Any:
        """What a text says, as a JSON document after a schema, or an object of the names in a list.

        raises  EmptyInput, InputTooLong, BadSchema, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        given = jsonb(schema if isinstance(schema, Mapping) else list(schema))
        return self._operate("extract", input, schema=given, model=model, max_tokens=max_tokens)

    def extract_as(
        self, kind: type[T], input: str, *, model: str | None = None, max_tokens: int | None = None
    ) -> T:
        """What a text says, as an object of a dataclass, a pydantic model or any type that pydantic knows.

        raises  as extract, and BadArgument for what a rule of the class turns down
        """
        maker = Maker(kind)
        return maker.read(self.extract(input, maker.schema, model=model, max_tokens=max_tokens))

    @overload
    def summarize(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, **options: Unpack[SummaryOptions]
    ) -> str: ...
    @overload
    def summarize(self, input: Texts, **options: Unpack[SummaryOptions]) -> list[str | None]: ...
    def summarize(self, input: str | Texts, **options: Unpack[SummaryOptions]) -> Any:
        """A summary of a text, or of each of many; without a language model, its most central sentences.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return self._operate("summarize", input, **options)

    @overload
    def translate(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> str: ...
    @overload
    def translate(
        self, input: Texts, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> list[str | None]: ...
    def translate(
        self, input: str | Texts, language: str, *, source_language: str | None = None, model: str | None = None
    ) -> Any:
        """A text in another language, or each of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        named: dict[str, Any] = {"language": language, "source_language": source_language, "model": model}
        return self._operate("translate", input, **named)

    @overload
    def redact(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> str: ...
    @overload
    def redact(
        self,
        input: Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> list[str | None]: ...
    def redact(
        self,
        input: str | Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> Any:
        """A text, or each of many, with what is personal in it replaced by its category, such as [EMAIL].

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, UnknownEngine, HostDown, HostBusy
        """
        named: dict[str, Any] = {
            "categories": categories,
            "region": region,
            "model": model,
        }
        return self._operate("redact", input, **named)

    def redact_result(
        self,
        inputs: Texts,
        categories: Sequence[str] | None = None,
        *,
        region: str | None = "US",
        model: str | None = None,
    ) -> list[Redacted]:
        """The same of many with how often each category was found."""
        named: dict[str, Any] = {
            "categories": categories,
            "region": region,
            "model": model,
        }
        return [build(Redacted, row) for row in self._rows(call("lore.redact_result", inputs=inputs, **named))]
