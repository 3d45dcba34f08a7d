"""Generation: text from a language model, as a stream of pieces.

What an operation does, whichever engine is behind the alias (a model that runs here, or a server elsewhere):

    async with registry.use(alias, "generate") as use:
        request = GenerationRequest(messages=[{"role": "user", "content": "..."}], max_tokens=200)
        async with aclosing(use.model.stream(request)) as pieces:
            async for piece in pieces: ...                 # piece.text as it comes; the last has finish_reason
        result = await complete(use.model, request)        # or all of it at once
        results = await complete_all(use.model, requests)  # or many, in one batch; an error in its place

To leave the loop, to close the generator or to cancel the task that runs it cancels the request: its place is free at
the next token. `extractive` is no Generator: its worker is an embedder (see generate.py).
"""

from .request import (
    Constraint,
    Generation,
    GenerationRequest,
    Generator,
    Piece,
    Timings,
    Usage,
    complete,
    complete_all,
)

__all__ = [
    "Constraint",
    "Generation",
    "GenerationRequest",
    "Generator",
    "Piece",
    "Timings",
    "Usage",
    "complete",
    "complete_all",
]
