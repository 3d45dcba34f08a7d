"""The cascade: the embedding decides where it is sure, a language model the rest.

What the model said of some texts teaches a proxy: a ridge regression from the vector of a text, on top of how near it
is to each label. The same examples say from which margin on the proxy agrees with the model: each is looked at with a
proxy that has not seen it (leave-one-out residuals, in closed form).

Letters: N texts, n examples, D length of a vector, C labels (a condition is one label).
Sources: LOTUS, arXiv:2407.11418 (cascades with a calibrated proxy); Allen 1974 (PRESS); Wilson 1927 (interval).
"""

import threading
from dataclasses import dataclass, field

import numpy as np

FIRST = 96  # examples before anything is decided
KEPT = 768  # examples of one question, the newest ...
KEPT_BYTES = 2 << 20  # ... and of how near labels are to them: with some thousand labels they are too few to decide by
ANEW = 0.3  # examples come to be looked at anew when so many of what there was have come
EACH = 8  # texts of a condition, and others, that must be among the examples; or as many as make a share be seen
LOST = 0.6  # of the share of yeses that may be lost: what the examples show is not quite what the others do
AUDIT = 0.08  # of the texts that the embedding is sure of, asked all the same: they show where it is not right ...
AUDITED = 12.0  # ... and stand for the others of them
COLUMNS = 64  # labels; with more, how near the labels are is all the proxy there is
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
Z = 1.28  # of Wilson's bound: right nine times of ten


@dataclass(slots=True)
class Examples:
    """What the model said of some texts.

    vectors  (n, D) float16
    near     (n, C) float32, how near each label is
    answers  (n, C) bool
    weights  (n,) how many texts each stands for
    """

    vectors: np.ndarray
    near: np.ndarray
    answers: np.ndarray
    weights: np.ndarray

    def joined(self, other: "Examples") -> "Examples":
        """Both, the oldest left out where they are too many."""
        most = max(1, min(KEPT, KEPT_BYTES // (5 * self.near.shape[1])))
        return Examples(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])[-most:]
                for name in ("vectors", "near", "answers", "weights")
            )
        )


@dataclass(slots=True)
class Cascade:
    """What is known about one question: a condition or a set of labels, of one language model and one embedder.

    single     exactly one label is right
    agreement  share of the decided texts for which the model would say the same
    """

    single: bool
    agreement: float
    examples: Examples | None = None
    embedding: int = 0  # texts that it decided so far
    model: int = 0
    _seen: int = 0  # examples of the last look
    _fresh: int = 0  # that came since
    _line: tuple[float, float] = (0.0, 0.0)
    _mean: np.ndarray | None = None
    _weights: np.ndarray | None = None  # (D, C)
    _high: np.ndarray = field(default_factory=lambda: np.array([]))  # (C,) from here on the label is right
    _low: np.ndarray = field(default_factory=lambda: np.array([]))  # (C,) up to here it is not; of a single, unused
    _lock: threading.Lock = field(default_factory=threading.Lock)  # requests of several connections meet here

    @property
    def ready(self) -> bool:
        """Whether there are enough examples to decide by."""
        return bool(self._seen)

    def learn(self, vectors: np.ndarray, near: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> None:
        """Add what the model said of texts; blocking, milliseconds."""
        if not len(vectors):
            return
        more = Examples(vectors.astype(np.float16), near.astype(np.float32), answers, weights.astype(np.float32))
        with self._lock:
            none = Examples(*(getattr(more, name)[:0] for name in ("vectors", "near", "answers", "weights")))
            self.examples = (self.examples or none).joined(more)
            self._fresh += len(more.weights)
            enough = min(FIRST, ANEW * self._seen) if self._seen else FIRST
            if len(self.examples.weights) >= FIRST and self._fresh >= enough:
                self._calibrate(self.examples)

    def decide(self, vectors: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the embedding says of texts, and where it is sure.

        returns  (N, C) bool, (N,) bool
        """
        with self._lock:
            scores, low, high = self._scores(vectors, near), self._low, self._high
        if self.single:
            best = scores.argmax(axis=1)
            return one_hot(best, scores.shape[1]), margins(scores) >= high[0]
        answers = scores >= high
        return answers, (answers | (scores <= low)).all(axis=1)

    def _scores(self, vectors: np.ndarray, near: np.ndarray) -> np.ndarray:
        scores = self._line[0] * near + self._line[1]
        if self._weights is not None:
            scores = scores + (vectors - self._mean) @ self._weights
        return scores

    def _calibrate(self, given: Examples) -> None:
        vectors, near = given.vectors.astype(np.float64), given.near.astype(np.float64)
        targets = np.where(given.answers, 1.0, -1.0)
        slope, level = np.polyfit(near.ravel(), targets.ravel(), 1) if np.ptp(near) > 0 else (0.0, targets.mean())
        self._line = (max(0.0, float(slope)), float(level if slope > 0 else targets.mean()))
        scores = self._line[0] * near + self._line[1]
        self._weights = None
        if near.shape[1] <= COLUMNS:
            self._mean = vectors.mean(axis=0)
            self._weights, left = ridge(vectors - self._mean, targets - scores)
            scores = targets - left
        self._seen, self._fresh = len(given.weights), 0
        if self.single:
            right = given.answers[np.arange(len(scores)), scores.argmax(axis=1)]
            self._high = np.array([threshold(margins(scores), right, given.weights, self.agreement)])
            return
        columns = range(scores.shape[1])
        bounds = [two_thresholds(scores[:, c], given.answers[:, c], given.weights, self.agreement) for c in columns]
        self._low, self._high = (np.array(side) for side in zip(*bounds, strict=True))


def ridge(vectors: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression, in its dual form where there are fewer examples than dimensions.

    vectors  (n, D), targets (n, C)
    returns  (D, C) weights, (n, C) residuals of each example under the weights that the others alone give
    """
    dual = len(vectors) < vectors.shape[1]
    values, basis = np.linalg.eigh(vectors @ vectors.T if dual else vectors.T @ vectors)
    values = np.maximum(values, 0.0)
    seen = basis if dual else vectors @ basis  # (n, -)
    turned = seen.T @ targets
    best: tuple[float, float, np.ndarray] | None = None
    for strength in RIDGES:
        inverse = 1 / (values + strength)
        if dual:
            left = (seen @ (inverse[:, None] * turned)) / (np.square(seen) @ inverse)[:, None]
        else:
            left = (targets - seen @ (inverse[:, None] * turned)) / (1 - np.square(seen) @ inverse)[:, None]
        error = float(np.square(left).mean())
        if best is None or error < best[0]:
            best = error, strength, left
    assert best is not None
    weights = basis @ (turned / (values + best[1])[:, None])
    return vectors.T @ weights if dual else weights, best[2]


def one_hot(places: np.ndarray, columns: int) -> np.ndarray:
    """(N,) places to (N, C) bool."""
    found = np.zeros((len(places), columns), dtype=bool)
    found[np.arange(len(places)), places] = True
    return found


def margins(scores: np.ndarray) -> np.ndarray:
    """How far the best label is before the second, (N,)."""
    if scores.shape[1] == 1:
        return np.full(len(scores), np.inf)
    top = np.partition(scores, -2, axis=1)
    return top[:, -1] - top[:, -2]


def threshold(margin: np.ndarray, right: np.ndarray, weights: np.ndarray, agreement: float) -> float:
    """The lowest margin from which on the share that is right is at least `agreement`, by Wilson's lower bound."""
    order = np.argsort(-margin, kind="stable")
    weight = weights[order]
    total, good = np.cumsum(weight), np.cumsum(weight * right[order])
    effective = np.square(total) / np.cumsum(np.square(weight))
    enough = np.flatnonzero(wilson(good / total, effective) >= agreement)
    return float(margin[order][enough[-1]]) if len(enough) else np.inf


def two_thresholds(scores: np.ndarray, answers: np.ndarray, weights: np.ndarray, agreement: float) -> tuple:
    """Up to where a label is not right, and from where on it is.

    Of the texts that the model says yes to, no more than 1 - agreement may lie below the first: a rare yes would else
    be lost while nearly all decisions agree. Too few of one kind, and nothing is decided.
    """
    # Above the least of m examples lie all but 1 / (m + 1) of what comes, on the mean.
    if answers.sum() < max(EACH, 1 / max(1e-9, 1 - agreement) - 1) or (~answers).sum() < EACH:
        return -np.inf, np.inf
    high = threshold(scores, answers, weights, agreement)
    low = -threshold(-scores, ~answers, weights, agreement)
    order = np.argsort(scores, kind="stable")
    lost = np.cumsum((weights * answers)[order]) / (weights * answers).sum()
    over = np.flatnonzero(lost > LOST * (1 - agreement))
    recall = scores[order][over[0]]
    low = min(low, np.nextafter(recall, -np.inf))
    return low, max(high, np.nextafter(low, np.inf))


def wilson(share: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Lower bound of a share that was seen among so many."""
    middle = share + Z * Z / (2 * count)
    spread = Z * np.sqrt(np.maximum(share * (1 - share), 0.0) / count + Z * Z / (4 * count * count))
    return (middle - spread) / (1 + Z * Z / count)


def sample(near: np.ndarray, size: int, single: bool) -> tuple[np.ndarray, np.ndarray]:
    """Texts to ask the model about, and how many each stands for.

    A condition's are taken more densely where it is near: what meets it may be rare. Of labels each N / size-th is
    taken, by how clear the best of them is.

    returns  places (size,), weights (size,) of mean 1
    """
    order = np.argsort(margins(near) if single else -near.max(axis=1), kind="stable")
    edges = np.linspace(0, 1, size + 1) ** (1.0 if single else 1.5) * len(near)
    edges = np.maximum.accumulate(np.maximum(np.round(edges).astype(int), np.arange(size + 1)))
    edges[-1] = len(near)
    middle = (edges[:-1] + np.maximum(edges[1:], edges[:-1] + 1)) // 2
    weights = np.maximum(np.diff(edges), 1).astype(np.float64)
    return order[np.minimum(middle, len(near) - 1)], weights / weights.mean()
