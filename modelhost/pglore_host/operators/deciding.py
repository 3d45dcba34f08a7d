"""How matches, classify and sentiment decide: by the embedding, by a language model, or by the cascade of both.

Letters: N texts, D length of a vector, C labels (a condition is one).
"""

import asyncio
import hashlib
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..arguments import integer, number, optional_text
from ..errors import HostError
from ..generation import Constraint
from ..registry import Registry
from . import cascade
from .batch import Batch
from .cascade import Cascade
from .reading import Nearness, Reader
from .writing import Writer, alone, writer

AGREEMENT = 0.95
SAMPLE_SHARE, SAMPLE_MOST = 0.2, 300  # of the texts of a call that the model is asked about to calibrate
SAMPLE_LEAST = 100
CASCADES = 64  # questions that are remembered
SHORTLIST = 50  # labels that a model is given: the nearest, where there are more
SHARP = 0.05  # cosines apart by this much make e times the chance


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided of each text.

    key      tells it from other questions
    readings of each label (C), what is embedded for it
    labels   (C) as the model is to name them
    single   exactly one label is right, else any number
    asked    the messages' instruction for some labels, by their places
    limit    of which choices or a schema binds the answer, for some labels
    heard    the labels' places in an answer, for some labels
    alone    (N, C) cosines above the background's, (N, C) the same in deviations -> (N, C) bool: the embedding's word
             where nothing taught it
    """

    key: tuple
    readings: Sequence[str]
    labels: Sequence[str]
    single: bool
    asked: Callable[[list[int]], str]
    limit: Callable[[list[int]], Constraint]
    heard: Callable[[list[int], str], list[int]]
    alone: Callable[[np.ndarray, np.ndarray], np.ndarray]
    near: Nearness | None = None  # where it is not that of the readings


@dataclass(slots=True)
class Decided:
    """What was decided of N texts; rows of failed texts say nothing.

    answers  (N, C) bool
    chances  (N, C) float: how near the embedding sees each label, 0 to 1
    by       "embedding" or "model" of each
    alone    no language model was there
    """

    answers: np.ndarray
    chances: np.ndarray
    by: list[str]
    alone: bool


async def shares(registry: Registry, arguments: dict, question: Question) -> dict:
    """{"examples", "by_embedding", "by_model"}: what is remembered of a question, all 0 where it is unknown.

    raises  HostError LO103, LO201, LO204, LO206, LO301
    """
    agreement = number(arguments, "agreement", 0, 1, AGREEMENT)
    assert agreement is not None
    async with (
        registry.use(optional_text(arguments, "embedder"), "embed") as use,
        writer(registry, arguments, "interactive") as model,
    ):
        key = model and _key(arguments, question, Reader(use).fingerprint, model, agreement)
    found = _cascades.get(key) if key else None
    if found is None:
        return {"examples": 0, "by_embedding": 0, "by_model": 0}
    seen = len(found.examples.weights) if found.examples else 0
    return {"examples": seen, "by_embedding": found.embedding, "by_model": found.model}


async def decide(registry: Registry, arguments: dict, batch: Batch, question: Question) -> Decided:
    """Decide of each text of a batch that is still open; errors are put into the batch.

    raises  HostError LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    agreement = number(arguments, "agreement", 0, 1, AGREEMENT)
    size = integer(arguments, "sample", cascade.FIRST, cascade.KEPT)
    assert agreement is not None
    async with registry.use(optional_text(arguments, "embedder"), "embed") as use:
        reader = Reader(use, batch.lane)
        near_to = question.near or await Nearness.of(reader, question.readings)
        places = batch.open
        found = await reader.vectors([batch.texts[place] for place in places])
        embedder = reader.fingerprint
    failed = [isinstance(vector, HostError) for vector in found]
    async with writer(registry, arguments, batch.lane) as model:
        if agreement < 1 or model is None:
            batch.put(
                [p for p, bad in zip(places, failed, strict=True) if bad],
                [v for v in found if isinstance(v, HostError)],
            )
        # A text that cannot be embedded is the model's, where it decides all.
        width = near_to.vectors.shape[1]
        vectors = np.array([np.zeros(width) if bad else v for v, bad in zip(found, failed, strict=True)], np.float32)
        vectors = vectors.reshape(len(places), width)
        near = near_to.of_texts(vectors)
        work = _Work(registry, batch, question, places, vectors, near, model)
        work.answers = question.alone(near, near_to.deviations(near))
        if model is not None and agreement > 0:
            known = _known(arguments, question, embedder, model, agreement) if agreement < 1 else None
            await work.run(known, size)
    decided = Decided(
        np.zeros((len(batch.texts), len(question.labels)), dtype=bool),
        np.zeros((len(batch.texts), len(question.labels)), dtype=np.float32),
        ["embedding"] * len(batch.texts),
        model is None and alone(arguments),
    )
    decided.answers[places], decided.chances[places] = work.answers, chances(near, near_to, question.single)
    for place, by_model in zip(places, work.asked, strict=True):
        decided.by[place] = "model" if by_model else "embedding"
    return decided


def chances(near: np.ndarray, near_to: Nearness, single: bool) -> np.ndarray:
    """How near each label is, 0 to 1: those of a single add up to 1."""
    if single:
        exponents = (near - near.max(axis=1, keepdims=True)) / SHARP if near.size else near
        powers = np.exp(exponents)
        return powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-30)
    return 1 / (1 + np.exp(-(near_to.deviations(near) - DEVIATIONS)))


DEVIATIONS = 2.5  # above the background's mean from which on, without a model, a text meets a condition


def meets(near: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Of each label for itself, whether a text is clearly nearer to it than texts of all kinds are."""
    return deviations >= DEVIATIONS


def nearest(near: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The one nearest label."""
    return cascade.one_hot(near.argmax(axis=1), near.shape[1])


class _Work:
    """The texts of one call on their way through the cascade."""

    def __init__(self, registry, batch, question, places, vectors, near, model) -> None:
        self._registry, self._batch, self._question, self._places = registry, batch, question, places
        self._vectors, self._near, self._model = vectors, near, model
        self.answers = np.zeros(near.shape, dtype=bool)
        self.asked = np.zeros(len(places), dtype=bool)

    async def run(self, known: Cascade | None, size: int | None) -> None:
        """Ask the model about all; or decide where the embedding is sure, ask about some of the rest, and again."""
        rest = [row for row, place in enumerate(self._places) if self._batch.results[place] is None]
        if known is None:
            await self._ask(rest, None)
            return
        count = size or int(min(SAMPLE_MOST, max(SAMPLE_LEAST, SAMPLE_SHARE * len(rest))))
        while rest:
            if known.ready:
                rest = await self._decide(rest, known)
            if len(rest) < 2 * count:
                await self._ask(rest, known)
                return
            chosen, weights = cascade.sample(self._near[rest], count, known.single)
            await self._ask([rest[i] for i in chosen], known, weights)
            rest = [row for row in rest if not self.asked[row]]

    async def _decide(self, rows: list[int], known: Cascade) -> list[int]:
        """Decide where the embedding is sure, and of some of those ask the model too; the others are left."""
        answers, sure = await asyncio.to_thread(known.decide, self._vectors[rows], self._near[rows])
        audited = sure & np.array([random.random() < cascade.AUDIT for _ in rows], dtype=bool)
        sure &= ~audited
        self.answers[np.array(rows)[sure]] = answers[sure]
        known.embedding += int(sure.sum())
        checked = [row for row, seen in zip(rows, audited, strict=True) if seen]
        await self._ask(checked, known, np.full(len(checked), cascade.AUDITED))
        return [row for row, done in zip(rows, sure | audited, strict=True) if not done]

    async def _ask(self, rows: list[int], known: Cascade | None, weights: np.ndarray | None = None) -> None:
        """Have the model decide about some texts, and learn from it."""
        assert self._model is not None
        shortlists = [self._shortlist(row) for row in rows]
        texts = [self._batch.texts[self._places[row]] for row in rows]
        heard = await asked(self._registry, self._model, self._question, texts, shortlists)
        good = []
        for i, (row, answer) in enumerate(zip(rows, heard, strict=True)):
            self.asked[row] = True
            if isinstance(answer, HostError):
                self._batch.results[self._places[row]] = answer
                continue
            self.answers[row] = False
            self.answers[row, answer] = True
            good.append(i)
        if known is not None and good:
            known.model += len(good)
            learnt = [rows[i] for i in good]
            given = np.ones(len(good)) if weights is None else weights[good]
            shown = (self._vectors[learnt], self._near[learnt], self.answers[learnt])
            await asyncio.to_thread(known.learn, *shown, given)

    def _shortlist(self, row: int) -> list[int]:
        """Places of the labels that the model is to choose among, in the caller's order."""
        count = self._near.shape[1]
        if count <= SHORTLIST:
            return list(range(count))
        return sorted(np.argpartition(-self._near[row], SHORTLIST)[:SHORTLIST].tolist())


async def asked(
    registry: Registry, model: Writer, question: Question, texts: Sequence[str], shortlists: Sequence[list[int]]
) -> list:
    """Places of the labels that the model gives each text; a HostError in the place of one without an answer.

    A text longer than the window is read in pieces: each label that one of them has, or the one that most of it has.
    """
    prompts, rooms, questions, owners = {}, {}, [], []
    found: list = [[] for _ in texts]
    for number_, (text, shortlist) in enumerate(zip(texts, shortlists, strict=True)):
        key = tuple(shortlist)
        try:
            if key not in prompts:
                prompts[key] = (question.asked(shortlist), question.limit(shortlist))
                rooms[key] = await model.room(prompts[key][0], _most(prompts[key][1]))
            instruction, limit = prompts[key]
            for piece in await model.pieces(registry, text, rooms[key]):
                questions.append((_messages(instruction, piece), limit, _most(limit)))
                owners.append((number_, len(piece)))
        except HostError as error:
            found[number_] = error
    for (owner, size), answer in zip(owners, await model.ask(questions), strict=True):
        if isinstance(found[owner], HostError):
            continue
        if isinstance(answer, HostError):
            found[owner] = answer
        else:
            found[owner].append((question.heard(shortlists[owner], answer), size))
    return [one if isinstance(one, HostError) else _together(one, question.single) for one in found]


def _messages(instruction: str, text: str) -> list[dict]:
    from .prompts import conversation

    return conversation(instruction, text)


def _most(limit: Constraint) -> int:
    """Tokens that an answer under a limit can take: a token has a byte at least."""
    values = limit.value if limit.kind == "choices" else limit.value["items"]["enum"]  # type: ignore[index]
    sizes = [len(str(value).encode()) + 4 for value in values]  # type: ignore[union-attr]
    return (max(sizes) if limit.kind == "choices" else sum(sizes)) + 16


def _together(parts: list, single: bool) -> list[int]:
    """The labels of a text, of those of its pieces (with their sizes)."""
    if not single:
        return sorted({place for places, _ in parts for place in places})
    sizes: dict[int, int] = {}
    for places, size in parts:
        for place in places:
            sizes[place] = sizes.get(place, 0) + size
    return [max(sizes, key=lambda place: sizes[place])] if sizes else []


_cascades: OrderedDict[tuple, Cascade] = OrderedDict()


def _key(arguments: dict, question: Question, embedder: str, model: Writer, agreement: float) -> tuple:
    # By role, as the bridge says it, and by database: what one teaches the cascade is not to decide another's rows.
    caller = seen.caller if (seen := metrics.current.get()) is not None else None
    told = hashlib.sha256(repr(question.key).encode()).hexdigest()
    return (caller and caller.role, str(arguments.get("scope")), told, embedder, model.identity, agreement)


def _known(arguments: dict, question: Question, embedder: str, model: Writer, agreement: float) -> Cascade:
    """What is remembered of a question, or a beginning."""
    key = _key(arguments, question, embedder, model, agreement)
    found = _cascades.get(key) or Cascade(question.single, agreement)
    _cascades[key] = found
    _cascades.move_to_end(key)
    while len(_cascades) > CASCADES:
        _cascades.popitem(last=False)
    return found
