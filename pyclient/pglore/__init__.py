"""pglore: embedding, search and answers inside PostgreSQL, from Python.

    import pglore

    with pglore.connect() as lore:
        manual = lore.create_collection("manual", if_not_exists=True)
        manual.add("vacuum", "VACUUM reclaims storage occupied by dead tuples.")
        print(manual.ask("How do I reclaim storage?"))

`aconnect` gives the same with `await`. Each method is one SQL function of the schema lore; `pglore.errors`
draws the tree of what they raise.
"""

from .ask import Answer, AnswerPiece, AskOptions, Source
from .budgets import Budget
from .cache import CachedResult
from .calls import Call
from .chunk import Chunk
from .client import AsyncClient, Client
from .collection import AsyncCollection, Change, Collection, CollectionInfo
from .context import Passage
from .doctor import Finding
from .documents import Added, Document
from .errors import (
    BadArgument,
    BadFilter,
    BadSchema,
    BudgetSpent,
    CallerError,
    CatalogMissing,
    DimensionMismatch,
    EmptyInput,
    Error,
    ExtensionMissing,
    HostBusy,
    HostDown,
    IndexBusy,
    InputTooLong,
    InternalError,
    ModelNotLoaded,
    OutOfMemory,
    SetupError,
    TryAgain,
    UnknownCollection,
    UnknownEngine,
    UnknownModel,
)
from .estimate import Estimate
from .evaluate import Evaluation, EvaluationQuery, KeptEvaluation
from .explain import Stage
from .generate import ChatOptions, Generation, GenerationOptions, PromptOptions
from .golden import GoldenQuery
from .grants import ModelGrant
from .host import HostMetrics, HostStatus
from .indexes import Band, BuiltIndex, IndexEstimate, Maintained, Recall
from .models import Model, ModelSource
from .operators import Classified, DecidingOptions, Felt, LabelOptions, Matched, Pair, Shares
from .parse import Parsed
from .rerank import Ranked
from .rewrite import Redacted, SummaryOptions
from .search import Hit
from .search_all import HitOfAll
from .templates import Template

__version__ = "0.1.0"

connect = Client.connect
aconnect = AsyncClient.connect

__all__ = [
    "Added",
    "Answer",
    "AnswerPiece",
    "AskOptions",
    "AsyncClient",
    "AsyncCollection",
    "BadArgument",
    "BadFilter",
    "BadSchema",
    "Band",
    "Budget",
    "BudgetSpent",
    "BuiltIndex",
    "CachedResult",
    "Call",
    "CallerError",
    "CatalogMissing",
    "Change",
    "ChatOptions",
    "Chunk",
    "Classified",
    "Client",
    "Collection",
    "CollectionInfo",
    "DecidingOptions",
    "DimensionMismatch",
    "Document",
    "EmptyInput",
    "Error",
    "Estimate",
    "Evaluation",
    "EvaluationQuery",
    "ExtensionMissing",
    "Felt",
    "Finding",
    "Generation",
    "GenerationOptions",
    "GoldenQuery",
    "Hit",
    "HitOfAll",
    "HostBusy",
    "HostDown",
    "HostMetrics",
    "HostStatus",
    "IndexBusy",
    "IndexEstimate",
    "InputTooLong",
    "InternalError",
    "KeptEvaluation",
    "LabelOptions",
    "Maintained",
    "Matched",
    "Model",
    "ModelGrant",
    "ModelNotLoaded",
    "ModelSource",
    "OutOfMemory",
    "Pair",
    "Parsed",
    "Passage",
    "PromptOptions",
    "Ranked",
    "Recall",
    "Redacted",
    "SetupError",
    "Shares",
    "Source",
    "Stage",
    "SummaryOptions",
    "Template",
    "TryAgain",
    "UnknownCollection",
    "UnknownEngine",
    "UnknownModel",
    "aconnect",
    "connect",
]
