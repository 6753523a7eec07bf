"""LiteLLM's own caches on a stream, where its Python package is installed (`pip install 'litellm[proxy]'`). For
scripts/bench_savings.py.

No provider is asked: each answer is the row's number, given to LiteLLM as a mock, so that a served answer tells
which row it came from. The semantic cache is LiteLLM's code for Qdrant at its documented `similarity_threshold` of
0.8, with the vectors that semgate itself compares by: a stand-in for Qdrant and for the embedding service runs in
this process and searches exactly. Hits and wrong hits are LiteLLM's; its latency without those services would be
no latency of anything, and is not given.
"""

import importlib.util
import json
import operator
import os
import pathlib
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench_latency import percentiles

THRESHOLD = 0.8


def is_installed():
    return importlib.util.find_spec("litellm") is not None


def vectors(path, rows):
    """Prompt to vector, from the file that semgate replay keeps: one record for each distinct prompt, in the order
    of the input. See src/replay/vectors.rs."""
    raw = pathlib.Path(path).read_bytes()
    magic, version, width, count, named = struct.unpack_from("<8sIIQI", raw)
    if (magic, version) != (b"sgvector", 1):
        raise ValueError(f"{path} holds no vectors")
    at, size = 28 + named, 36 + 4 * width
    prompts = list(dict.fromkeys(row["prompt"] for row in rows))
    if len(prompts) != count:
        raise ValueError(f"{path} has {count} vectors and the stream {len(prompts)} prompts")
    return {prompt: struct.unpack_from(f"<{width}f", raw, at + place * size + 36)
            for place, prompt in enumerate(prompts)}


class Services(BaseHTTPRequestHandler):
    """Embeddings as OpenAI serves them, and as much of Qdrant as LiteLLM's cache asks for."""

    vectors, points = {}, []

    def log_message(self, *_):
        pass

    def answer(self, found):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")

    def do_GET(self):
        self.answer({"result": {"exists": False}})

    def do_PUT(self):
        for point in self.body().get("points", []):
            self.points.append((point["vector"], point["payload"]))
        self.answer({"result": True})

    def do_POST(self):
        asked = self.body()
        if self.path.endswith("/embeddings"):
            texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            data = [{"object": "embedding", "index": place, "embedding": list(self.vectors[text])}
                    for place, text in enumerate(texts)]
            return self.answer({"object": "list", "model": asked["model"], "data": data,
                                "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        wanted = asked["filter"]["must"][0]
        fits = (point for point in self.points if point[1].get(wanted["key"]) == wanted["match"]["value"])
        scored = ((sum(map(operator.mul, asked["vector"], vector)), place, payload)
                  for place, (vector, payload) in enumerate(fits))
        best = max(scored, default=None, key=lambda entry: (entry[0], -entry[1]))
        self.answer({"result": [{"score": best[0], "payload": best[2]}] if best else []})


def run(rows, known):
    """A row for each of its caches: name, requests, hits, wrong hits, and percentiles where they mean something.
    `known`: prompt to vector, None without."""
    # Its prices come from the package, not from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm
    from litellm.caching.caching import Cache

    litellm.suppress_debug_info, litellm.telemetry = True, False
    measured = [measure(litellm, "LiteLLM, in-memory", lambda: Cache(type="local"), rows, True)]
    if known:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Services)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        Services.vectors, Services.points = known, []
        os.environ.update(OPENAI_API_KEY="none", OPENAI_API_BASE=f"{url}/v1", OPENAI_BASE_URL=f"{url}/v1")
        make = lambda: Cache(type="qdrant-semantic", qdrant_api_base=url, qdrant_collection_name="bench",
                             similarity_threshold=THRESHOLD, qdrant_semantic_cache_embedding_model="openai/bench")
        measured.append(measure(litellm, f"LiteLLM, semantic {THRESHOLD}", make, rows, False))
        server.shutdown()
    litellm.cache = None
    return [found for found in measured if found]


def measure(litellm, name, make, rows, is_timed):
    try:
        litellm.cache = make()
        return {"name": name, **replay(litellm, rows, is_timed)}
    except Exception as error:  # A package of another version must not end the benchmark.
        print(f"{name} could not be measured: {error}", file=sys.stderr)
        return None


def replay(litellm, rows, is_timed):
    found = {"requests": len(rows), "hits": 0, "wrong": 0}
    times = {"hit": [], "miss": []}
    for number, row in enumerate(rows):
        begun = time.perf_counter()
        answer = litellm.completion(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": row["prompt"]}],
            mock_response=str(number), caching=True)
        took = (time.perf_counter() - begun) * 1e3
        maker = int(answer.choices[0].message.content)
        times["hit" if maker != number else "miss"].append(took)
        found["hits"] += maker != number
        found["wrong"] += row.get("answer_id", number) != rows[maker].get("answer_id", maker)
    timed = {kind: percentiles(values) if is_timed else None for kind, values in times.items()}
    return {**found, **timed}
