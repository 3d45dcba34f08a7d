"""A small embedding and rerank server with a real model, for the tests of remote models.

python tests/model_server.py FOLDER [KEY]: prints its port, and serves both protocols until its standard input closes:
OpenAI (/v1/embeddings, /v1/rerank) and Text Embeddings Inference (/embed, /info; /reranker/rerank, /reranker/info).
The scores of its reranker are the cosines of the model's vectors. A text that holds SLOW is answered after ten minutes;
GET /slow says how many such requests have come, GET /aborted how many of them their clients gave up.
"""

import asyncio
import base64
import json
import sys

import numpy as np
from sentence_transformers import SentenceTransformer

SLOW = "answer slowly"
SLOW_S = 600


class Refused(Exception):
    """A status and what is said with it."""


class ModelServer:
    """The model, and what has been asked of it."""

    def __init__(self, folder: str, key: str | None) -> None:
        self.model, self.key, self.slow, self.aborted = SentenceTransformer(folder, device="cpu"), key, 0, 0

    def vectors(self, texts: list[str], truncate: bool = False) -> np.ndarray:
        """Unit vectors; a text over the window is refused in the words of TEI unless it may be cut."""
        for text in texts:
            tokens = len(self.model.tokenizer(text, verbose=False)["input_ids"])
            if tokens > self.model.max_seq_length and not truncate:
                raise Refused(413, f"`inputs` must have less than {self.model.max_seq_length} tokens. Given: {tokens}")
        return self.model.encode(texts, normalize_embeddings=True, batch_size=32)

    def answer(self, path: str, asked: dict) -> object:
        """The body of the reply; raises Refused."""
        if path in ("/info", "/reranker/info"):
            return {
                "model_id": "test/minilm",
                "model_sha": None,
                "model_type": {"embedding": {"pooling": "mean"}} if path == "/info" else {"reranker": {}},
                "max_input_length": self.model.max_seq_length,
                "max_client_batch_size": 8,
            }
        if path == "/embed":
            return self.vectors(asked["inputs"], asked.get("truncate", False)).tolist()
        if path == "/v1/embeddings":
            found = self.vectors(asked["input"])
            if asked.get("dimensions"):
                found = found[:, : asked["dimensions"]]
            coded = asked.get("encoding_format") == "base64" or asked["model"] == "base64"
            rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() if coded else row.tolist() for row in found]
            data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
            return {"object": "list", "model": asked["model"], "data": data[::-1]}
        if path in ("/reranker/rerank", "/v1/rerank"):
            documents = asked.get("texts") or asked.get("documents")
            rows = self.vectors([asked["query"], *documents])
            ranked = sorted(enumerate((rows[1:] @ rows[0]).tolist()), key=lambda pair: -pair[1])
            if path == "/reranker/rerank":
                return [{"index": place, "score": score} for place, score in ranked]
            return {"results": [{"index": place, "relevance_score": score} for place, score in ranked]}
        if path in ("/slow", "/aborted"):
            return self.slow if path == "/slow" else self.aborted
        raise Refused(404, "no such route")

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection, one after the other."""
        try:
            while line := await reader.readline():
                path, headers = line.split()[1].decode(), {}
                while (header := await reader.readline()).strip():
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if SLOW.encode() in body:
                    self.slow += 1
                    try:  # a client that gives up closes the connection
                        await asyncio.wait_for(reader.read(1), SLOW_S)
                        self.aborted += 1
                        return
                    except TimeoutError:
                        pass
                try:
                    if self.key and headers.get("authorization") != f"Bearer {self.key}":
                        raise Refused(401, "wrong key")
                    status, found = 200, await asyncio.to_thread(self.answer, path, json.loads(body or b"{}"))
                except Refused as refusal:
                    status, found = refusal.args[0], {"error": refusal.args[1]}
                data = json.dumps(found).encode()
                head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
                writer.write(head.encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main(folder: str, key: str | None = None) -> None:
    """Serve until standard input closes."""
    server = await asyncio.start_server(ModelServer(folder, key).connection, "127.0.0.1", 0, limit=1 << 26)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
