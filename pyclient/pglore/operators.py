"""Operators that decide about texts: conditions, labels, qualities; of one text, or of many in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, overload

from .call import build, call, first
from .session import AsyncSession, Session

if TYPE_CHECKING:
    from typing import Unpack

Texts = Sequence[str | None]


class DecidingOptions(TypedDict, total=False):
    """Who decides: a language model, an embedder, and how far they must agree; sample is for many texts alone."""

    model: str | None
    embedder: str | None
    agreement: float
    sample: int | None


class LabelOptions(DecidingOptions, total=False):
    """The same with what the labels mean and what matters."""

    descriptions: Sequence[str | None] | None
    instruction: str | None


@dataclass(frozen=True, slots=True)
class Matched:
    """Whether a condition holds for the text at a place (from 1); decided_by is embedding or model."""

    ordinal: int
    matches: bool | None
    score: float | None
    decided_by: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Classified:
    """A label of the text at a place (from 1); decided_by is embedding or model."""

    ordinal: int
    label: str | None
    score: float | None
    decided_by: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Felt:
    """The sentiment of the text at a place (from 1): score from -1 to 1; decided_by is embedding or model."""

    ordinal: int
    sentiment: str | None
    score: float | None
    decided_by: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are alike, with their places (from 1)."""

    left_ordinal: int
    right_ordinal: int
    left_input: str
    right_input: str
    score: float
    decided_by: str


@dataclass(frozen=True, slots=True)
class Shares:
    """How many texts the embedding and the language model decided, and of how many answers the host learns."""

    examples: int
    by_embedding: int
    by_model: int


class AsyncOperators(AsyncSession):
    async def _operate(self, function: str, given: str | Texts, **named: Any) -> Any:
        inputs = {"input": given} if isinstance(given, str) else {"inputs": given}
        return first(await self._rows(call(f"lore.{function}", **inputs, **named)))

    @overload
    async def matches(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, condition: str, **options: Unpack[DecidingOptions]
    ) -> bool: ...
    @overload
    async def matches(self, input: Texts, condition: str, **options: Unpack[DecidingOptions]) -> list[bool | None]: ...
    async def matches(self, input: str | Texts, condition: str, **options: Unpack[DecidingOptions]) -> Any:
        """Whether a condition in words holds for a text, or for each of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return await self._operate("matches", input, condition=condition, **options)

    async def matches_result(self, inputs: Texts, condition: str, **options: Unpack[DecidingOptions]) -> list[Matched]:
        """The same with scores and who decided; a text that failed alone has its error, and stops no other."""
        rows = await self._rows(call("lore.matches_result", inputs=inputs, condition=condition, **options))
        return [build(Matched, row) for row in rows]

    @overload
    async def classify(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, labels: Sequence[str], **options: Unpack[LabelOptions]
    ) -> str: ...
    @overload
    async def classify(
        self, input: Texts, labels: Sequence[str], **options: Unpack[LabelOptions]
    ) -> list[str | None]: ...
    async def classify(self, input: str | Texts, labels: Sequence[str], **options: Unpack[LabelOptions]) -> Any:
        """The label that fits a text best, or those of many texts.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return await self._operate("classify", input, labels=labels, **options)

    async def classify_multiple(self, input: str, labels: Sequence[str], **options: Unpack[LabelOptions]) -> list[str]:
        """All labels that fit a text, the nearest first."""
        return await self._operate("classify_multiple", input, labels=labels, **options)

    async def classify_result(
        self, inputs: Texts, labels: Sequence[str], *, multiple: bool = False, **options: Unpack[LabelOptions]
    ) -> list[Classified]:
        """The labels of many texts with scores and who decided; with multiple, any number of labels for each."""
        named: dict[str, Any] = {"labels": labels, "multiple": multiple, **options}
        return [
            build(Classified, row) for row in await self._rows(call("lore.classify_result", inputs=inputs, **named))
        ]

    async def classify_scores(
        self,
        input: str,
        labels: Sequence[str],
        *,
        embedder: str | None = None,
        descriptions: Sequence[str | None] | None = None,
    ) -> dict[str, float]:
        """How near the labels are to a text by the embedding, the nearest first: at most 20."""
        named: dict[str, Any] = {"labels": labels, "embedder": embedder, "descriptions": descriptions}
        rows = await self._rows(call("lore.classify_scores", input=input, **named))
        return {row["label"]: row["score"] for row in rows}

    @overload
    async def sentiment(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, **options: Unpack[DecidingOptions]
    ) -> str: ...
    @overload
    async def sentiment(self, input: Texts, **options: Unpack[DecidingOptions]) -> list[str | None]: ...
    async def sentiment(self, input: str | Texts, **options: Unpack[DecidingOptions]) -> Any:
        """positive, negative, neutral or mixed; of one text or of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return await self._operate("sentiment", input, **options)

    async def sentiment_result(self, inputs: Texts, **options: Unpack[DecidingOptions]) -> list[Felt]:
        """The same with scores and who decided."""
        rows = await self._rows(call("lore.sentiment_result", inputs=inputs, **options))
        return [build(Felt, row) for row in rows]

    @overload
    async def rank(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> float: ...
    @overload
    async def rank(
        self, input: Texts, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> list[float | None]: ...
    async def rank(
        self, input: str | Texts, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> Any:
        """How far a text, or each of many, has a quality that is described: 0 to 1.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return await self._operate("rank", input, quality=quality, model=model, embedder=embedder)

    async def matches_shares(
        self, condition: str, *, model: str | None = None, embedder: str | None = None, agreement: float = 0.95
    ) -> Shares:
        """Who decided so far whether a condition holds, as this role asked in this database."""
        named: dict[str, Any] = {"model": model, "embedder": embedder, "agreement": agreement}
        return build(Shares, (await self._rows(call("lore.matches_shares", condition=condition, **named)))[0])

    async def classify_shares(
        self,
        labels: Sequence[str],
        *,
        model: str | None = None,
        embedder: str | None = None,
        descriptions: Sequence[str | None] | None = None,
        instruction: str | None = None,
        agreement: float = 0.95,
        multiple: bool = False,
    ) -> Shares:
        """Who decided so far which label fits, as this role asked in this database."""
        named: dict[str, Any] = {"model": model, "embedder": embedder, "descriptions": descriptions}
        named |= {"instruction": instruction, "agreement": agreement, "multiple": multiple}
        return build(Shares, (await self._rows(call("lore.classify_shares", labels=labels, **named)))[0])

    async def similarity_join(
        self,
        left_inputs: Texts,
        right_inputs: Texts,
        *,
        k: int = 1,
        min_score: float | None = None,
        condition: str | None = None,
        model: str | None = None,
        embedder: str | None = None,
    ) -> list[Pair]:
        """For each text of one list the k of another that are most like it; with a condition, a model confirms each.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        named: dict[str, Any] = {
            "k": k,
            "min_score": min_score,
            "condition": condition,
            "model": model,
            "embedder": embedder,
        }
        statement = call("lore.similarity_join", left_inputs=left_inputs, right_inputs=right_inputs, **named)
        return [build(Pair, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class Operators(Session):
    def _operate(self, function: str, given: str | Texts, **named: Any) -> Any:
        inputs = {"input": given} if isinstance(given, str) else {"inputs": given}
        return first(self._rows(call(f"lore.{function}", **inputs, **named)))

    @overload
    def matches(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, condition: str, **options: Unpack[DecidingOptions]
    ) -> bool: ...
    @overload
    def matches(self, input: Texts, condition: str, **options: Unpack[DecidingOptions]) -> list[bool | None]: ...
    def matches(self, input: str | Texts, condition: str, **options: Unpack[DecidingOptions]) -> Any:
        """Whether a condition in words holds for a text, or for each of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return self._operate("matches", input, condition=condition, **options)

    def matches_result(self, inputs: Texts, condition: str, **options: Unpack[DecidingOptions]) -> list[Matched]:
        """The same with scores and who decided; a text that failed alone has its error, and stops no other."""
        rows = self._rows(call("lore.matches_result", inputs=inputs, condition=condition, **options))
        return [build(Matched, row) for row in rows]

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, labels: Sequence[str], **options: Unpack[LabelOptions]
    ) -> str: ...
    @overload
    def classify(
        self, input: Texts, labels: Sequence[str], **options: Unpack[LabelOptions]
    ) -> list[str | None]: ...
    def classify(self, input: str | Texts, labels: Sequence[str], **options: Unpack[LabelOptions]) -> Any:
        """The label that fits a text best, or those of many texts.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return self._operate("classify", input, labels=labels, **options)

    def classify_multiple(self, input: str, labels: Sequence[str], **options: Unpack[LabelOptions]) -> list[str]:
        """All labels that fit a text, the nearest first."""
        return self._operate("classify_multiple", input, labels=labels, **options)

    def classify_result(
        self, inputs: Texts, labels: Sequence[str], *, multiple: bool = False, **options: Unpack[LabelOptions]
    ) -> list[Classified]:
        """The labels of many texts with scores and who decided; with multiple, any number of labels for each."""
        named: dict[str, Any] = {"labels": labels, "multiple": multiple, **options}
        return [
            build(Classified, row) for row in self._rows(call("lore.classify_result", inputs=inputs, **named))
        ]

    def classify_scores(
        self,
        input: str,
        labels: Sequence[str],
        *,
        embedder: str | None = None,
        descriptions: Sequence[str | None] | None = None,
    ) -> dict[str, float]:
        """How near the labels are to a text by the embedding, the nearest first: at most 20."""
        named: dict[str, Any] = {"labels": labels, "embedder": embedder, "descriptions": descriptions}
        rows = self._rows(call("lore.classify_scores", input=input, **named))
        return {row["label"]: row["score"] for row in rows}

    @overload
    def sentiment(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, **options: Unpack[DecidingOptions]
    ) -> str: ...
    @overload
    def sentiment(self, input: Texts, **options: Unpack[DecidingOptions]) -> list[str | None]: ...
    def sentiment(self, input: str | Texts, **options: Unpack[DecidingOptions]) -> Any:
        """positive, negative, neutral or mixed; of one text or of many.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return self._operate("sentiment", input, **options)

    def sentiment_result(self, inputs: Texts, **options: Unpack[DecidingOptions]) -> list[Felt]:
        """The same with scores and who decided."""
        rows = self._rows(call("lore.sentiment_result", inputs=inputs, **options))
        return [build(Felt, row) for row in rows]

    @overload
    def rank(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self, input: str, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> float: ...
    @overload
    def rank(
        self, input: Texts, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> list[float | None]: ...
    def rank(
        self, input: str | Texts, quality: str, *, model: str | None = None, embedder: str | None = None
    ) -> Any:
        """How far a text, or each of many, has a quality that is described: 0 to 1.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        return self._operate("rank", input, quality=quality, model=model, embedder=embedder)

    def matches_shares(
        self, condition: str, *, model: str | None = None, embedder: str | None = None, agreement: float = 0.95
    ) -> Shares:
        """Who decided so far whether a condition holds, as this role asked in this database."""
        named: dict[str, Any] = {"model": model, "embedder": embedder, "agreement": agreement}
        return build(Shares, (self._rows(call("lore.matches_shares", condition=condition, **named)))[0])

    def classify_shares(
        self,
        labels: Sequence[str],
        *,
        model: str | None = None,
        embedder: str | None = None,
        descriptions: Sequence[str | None] | None = None,
        instruction: str | None = None,
        agreement: float = 0.95,
        multiple: bool = False,
    ) -> Shares:
        """Who decided so far which label fits, as this role asked in this database."""
        named: dict[str, Any] = {"model": model, "embedder": embedder, "descriptions": descriptions}
        named |= {"instruction": instruction, "agreement": agreement, "multiple": multiple}
        return build(Shares, (self._rows(call("lore.classify_shares", labels=labels, **named)))[0])

    def similarity_join(
        self,
        left_inputs: Texts,
        right_inputs: Texts,
        *,
        k: int = 1,
        min_score: float | None = None,
        condition: str | None = None,
        model: str | None = None,
        embedder: str | None = None,
    ) -> list[Pair]:
        """For each text of one list the k of another that are most like it; with a condition, a model confirms each.

        raises  EmptyInput, InputTooLong, BadArgument, UnknownModel, HostDown, HostBusy
        """
        named: dict[str, Any] = {
            "k": k,
            "min_score": min_score,
            "condition": condition,
            "model": model,
            "embedder": embedder,
        }
        statement = call("lore.similarity_join", left_inputs=left_inputs, right_inputs=right_inputs, **named)
        return [build(Pair, row) for row in self._rows(statement)]
