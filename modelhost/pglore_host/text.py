"""chunk and parse: operations on text that need at most a tokenizer."""

import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from . import errors, stopping
from .arguments import choice, integer, optional_text, text
from .errors import HostError
from .registry import Registry

CONTENT_LIMIT = 4_000_000  # characters
DOCUMENT_LIMIT = 16 << 20  # bytes
WORKERS = ThreadPoolExecutor(2, thread_name_prefix="text")  # long documents wait here for each other alone
CHUNK_MARGIN = 4  # tokens of the window left free by default, as lore._chunk_size does for collections


async def chunk(registry: Registry, arguments: dict) -> list[dict]:
    """Chunks of a text; raises HostError LO102, LO103, LO201."""
    from . import chunk as chunks  # the module carries weight that a host may never need

    content = text(arguments, "content", limit=CONTENT_LIMIT)
    strategy = choice(arguments, "strategy", chunks.STRATEGIES, "auto")
    overlap = integer(arguments, "overlap", 0, 1 << 20, 0)
    async with registry.local(optional_text(arguments, "model")) as use:
        tokenizer = use.model.tokenizer
        size = integer(arguments, "size", 1, 1 << 20, max(8, tokenizer.content_tokens - CHUNK_MARGIN))
        cut = partial(chunks.chunk, content, tokenizer.raw, strategy=strategy, size=size, overlap=overlap)
        found = await stopping.run(WORKERS, cut)
    return [
        {
            "ordinal": entry.ordinal,
            "start": entry.start,
            "end": entry.end,
            "heading": entry.heading,
            "content": entry.text,
            "tokens": entry.tokens,
        }
        for entry in found
    ]


async def parse(registry: Registry, arguments: dict, body: bytes) -> dict:
    """Title, text and metadata of a document, sent as base64 or as the body; raises HostError LO102, LO103."""
    from . import parse as parsing

    mime = optional_text(arguments, "mime")
    document = body
    if "document" in arguments:
        try:
            encoded = text(arguments, "document", limit=DOCUMENT_LIMIT * 2).replace("\n", "")  # PostgreSQL breaks lines
            document = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise HostError(errors.BAD_ARGUMENT, "document must be base64") from None
    if len(document) > DOCUMENT_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG, f"the document is {len(document):,} bytes, over the limit of {DOCUMENT_LIMIT:,}"
        )
    found = await stopping.run(WORKERS, parsing.parse, document, mime)
    return {"title": found.title, "content": found.content, "metadata": found.metadata}
