"""Latency of hits and misses as a client sees it: sends the first rows of a stream, one after the other,
to a running gateway. For scripts/bench_savings.py; standard library only.
"""

import http.client
import json
import re
import time
from urllib.parse import urlsplit


def percentiles(values):
    """p50, p90, p99 (nearest rank) and the number of values; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    rank = lambda share: ordered[max(0, -(-len(ordered) * share // 100) - 1)]
    return {"n": len(ordered), "p50_ms": rank(50), "p90_ms": rank(90), "p99_ms": rank(99)}


def body(row):
    """The row's request, never streamed: the whole answer is what is timed."""
    request = row.get("request") or {"model": "auto", "messages": [{"role": "user", "content": row["prompt"]}]}
    request.pop("stream", None)
    request.pop("stream_options", None)
    return json.dumps(request)


def fate(headers):
    """`exact`, `semantic`, `miss`, or the other names of Cache-Status."""
    status = headers.get("cache-status", "")
    found = re.search(r"hit; .*detail=(\w+)", status) or re.search(r"fwd=(\w+)", status)
    return found.group(1) if found else "none"


def upstream_ms(headers):
    found = re.search(r"upstream;dur=([0-9.]+)", headers.get("server-timing", ""))
    return float(found.group(1)) if found else 0.0


def measure(url, rows):
    """Percentiles by fate; `own` is what a miss took without its provider."""
    parts = urlsplit(url)
    client = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    found, failed = {}, 0
    for row in rows:
        begun = time.perf_counter()
        client.request("POST", "/v1/chat/completions", body(row), {"content-type": "application/json"})
        response = client.getresponse()
        response.read()
        took = (time.perf_counter() - begun) * 1e3
        if response.status != 200:
            failed += 1
            continue
        kind = fate(response.headers)
        found.setdefault(kind, []).append(took)
        if kind == "miss":
            found.setdefault("own", []).append(max(0.0, took - upstream_ms(response.headers)))
    return {"requests": len(rows), "failed": failed, **{kind: percentiles(values) for kind, values in found.items()}}
