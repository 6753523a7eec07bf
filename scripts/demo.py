#!/usr/bin/env python3
"""Sends the demo's conversation to a running semgate by plain HTTP and prints what happened.

    python3 scripts/demo.py http://127.0.0.1:8080

Exits with 1 unless it saw everything the demo promises. Standard library only.
"""

import http.client
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Each block opens with what it shows. `>` before a question: the answer is asked for as a stream.
SCRIPT = """
# Easy questions: the small tier. Asked again, in other words or signs, they cost nothing
What is the capital of Australia?
What's the capital of Australia?
What is the capital of Australia?
Who wrote Romeo and Juliet?
Who wrote "Romeo and Juliet"?!

# Near-misses: almost the same words, another answer. Serving these from memory would be wrong
Can I return an item within 14 days?
Can I return an item within 30 days?
How many minutes are there in 3 hours?
How many minutes are there in 5 hours?
Which plans include phone support?
Which plans do not include phone support?
What plans include phone support?
What is the capital of Austria?

# Stored as JSON, served as a stream; and the other way round
How do I reset my password?
> How do I reset my password?
> How do I cancel my subscription?
How can I cancel my subscription?

# Harder questions: the middle tier. Its first target breaks down on the way
A loan of 12000 at 5% yearly interest is repaid in 24 equal months. What is the monthly payment?
Compare trains and buses for a class trip of thirty pupils.
Write a Python function that turns a number into Roman numerals.
> Explain how a refrigerator moves heat out of a cold place.

# Hard questions: the frontier tier
Prove that there are infinitely many primes congruent to 3 modulo 4.
> Derive the Euler-Lagrange equation from the principle of least action, step by step.
Evaluate the contour integral of exp(z) / (z^2 + 1) around the circle of radius 2.
Find the eigenvalues of the matrix [[2, 1, 0], [1, 2, 1], [0, 1, 2]].

# What must not be remembered, and what the caller decides
What is the weather in Oslo today?
~ temperature=1.5 | Write a limerick about a lighthouse keeper.
~ x-semgate-tier: frontier | What is the largest planet?
~ cache-control: no-cache | Who wrote Romeo and Juliet?

# And once more, from memory
Find the eigenvalues of the matrix [[2, 1, 0], [1, 2, 1], [0, 1, 2]].
> prove that there are infinitely many primes congruent to 3 modulo 4
"""

# Reasons of a route that the classifier gave: a tier it found adequate, or none but the last.
CLASSIFIED = ("adequate", "last_tier")

WIDTHS = {"prompt": 40, "cache": 20, "tier": 8, "target": 14, "cost": 9, "saved": 9, "ms": 6}


@dataclass
class Ask:
    """One line of the script."""

    prompt: str
    stream: bool = False
    headers: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)


@dataclass
class Seen:
    """What came back."""

    ask: Ask
    status: int
    cache: str
    tier: str
    target: str
    attempts: int
    cost: float
    saved: float
    ms: float
    stored: bool
    reason: str
    failed: list
    complete: bool

    @property
    def hit(self):
        return self.cache.startswith("hit")


def script():
    """Yields headings as text and requests as Ask."""
    for line in filter(None, map(str.strip, SCRIPT.splitlines())):
        if line.startswith("# "):
            yield line[2:]
            continue
        ask = Ask(line)
        if line.startswith("~ "):
            setting, ask.prompt = (part.strip() for part in line[2:].split("|", 1))
            if ": " in setting:
                name, value = setting.split(": ")
                ask.headers[name] = value
            else:
                name, value = setting.split("=")
                ask.fields[name] = float(value)
        elif line.startswith("> "):
            ask.stream, ask.prompt = True, line[2:]
        yield ask


def verdict(cache_status):
    """`semgate; fwd=miss; stored; detail=below-line` in two words, and whether it was stored."""
    parts = [part.strip() for part in cache_status.split(";")[1:]]
    values = dict(part.split("=", 1) for part in parts if "=" in part)
    kind = "hit" if "hit" in parts else values.get("fwd", "none")
    return " ".join(filter(None, [kind, values.get("detail", "")])), "stored" in parts


def send(client, ask):
    body = {"model": "auto", "messages": [{"role": "user", "content": ask.prompt}], **ask.fields}
    if ask.stream:
        body["stream"] = True
    headers = {"content-type": "application/json", **ask.headers}
    begin = time.monotonic()
    client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = client.getresponse()
    text = answer.read().decode()
    ms = (time.monotonic() - begin) * 1e3
    head = {name.lower(): value for name, value in answer.getheaders()}
    cache, stored = verdict(head.get("cache-status", ""))
    cost, saved = head.get("x-semgate-cost-usd"), head.get("x-semgate-saved-usd")
    closing = re.search(r"^: semgate cost-usd=(\S+) saved-usd=(\S+)( stored)?", text, re.M)
    if closing:
        cost, saved, stored = closing[1], closing[2], bool(closing[3])
    if answer.status != 200:
        cache = f"error {answer.status}"
    route, attempts = record(client, head.get("x-request-id", ""))
    return Seen(
        ask=ask,
        status=answer.status,
        cache=cache,
        tier=head.get("x-semgate-tier", "-"),
        target=head.get("x-semgate-target", "-"),
        attempts=int(head.get("x-semgate-attempts", 0)),
        cost=float(cost or 0),
        saved=float(saved or 0),
        ms=ms,
        stored=stored,
        reason=route.get("reason") or "",
        failed=[tried for tried in attempts if tried.get("status") != 200],
        complete=answer.status == 200 and ("data: [DONE]" in text if ask.stream else bool(text)),
    )


def record(client, request_id):
    """Route and attempts of the decision record."""
    client.request("GET", f"/v1/requests/{request_id}")
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        return {}, []
    found = json.loads(body)
    return found.get("route") or {}, found.get("attempts") or []


class Table:
    """Prints rows as they come; colour only on a terminal."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.count = 0

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def head(self):
        names = [f"{'#':>2}"] + [
            f"{name:>{width}}" if name in ("cost", "saved", "ms") else f"{name:<{width}}"
            for name, width in WIDTHS.items()
        ]
        line = " ".join(names)
        print(f"\n{self.paint(1, line)}\n{'-' * len(line)}")

    def block(self, title):
        print(self.paint(2, f"   {title}"))

    def row(self, seen):
        self.count += 1
        target = seen.target.split("/")[-1].split("~")[0].removeprefix("fake-")
        cells = {
            "prompt": shorten(("> " if seen.ask.stream else "") + seen.ask.prompt, WIDTHS["prompt"]),
            "cache": seen.cache,
            "tier": seen.tier,
            "target": target + (f" ({seen.attempts}x)" if seen.attempts > 1 else ""),
        }
        line = " ".join(f"{text:<{WIDTHS[name]}}" for name, text in cells.items())
        code = 32 if seen.hit else 33 if "guard" in seen.cache else 31 if seen.status != 200 else 0
        numbers = f"{seen.cost:>9.6f} {seen.saved:>9.6f} {seen.ms:>6.0f}"
        print(f"{self.count:>2} {self.paint(code, line)} {numbers}", flush=True)


def shorten(text, width):
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."


def summary(rows):
    """The figures below the table."""
    hits = [row for row in rows if row.hit]
    exact = sum("exact" in row.cache for row in hits)
    spent, saved = sum(row.cost for row in rows), sum(row.saved for row in rows)
    always = spent + saved
    mean = lambda some: sum(row.ms for row in some) / len(some) if some else 0
    print(
        f"\n{len(rows)} requests, {len(hits)} hits ({exact} exact, {len(hits) - exact} semantic): "
        f"hit rate {len(hits) / len(rows):.0%}, "
        f"{mean(hits):.0f} ms from memory, {mean([r for r in rows if not r.hit]):.0f} ms otherwise"
    )
    share = saved / always if always else 0
    print(f"spent ${spent:.6f}; always frontier ${always:.6f}; saved ${saved:.6f} ({share:.0%})")
    print("costs in US dollars; (2x): second attempt, after the first target failed; >: a stream")


def promises(rows):
    """What the demo must have shown: (sentence, seen?)."""
    semantic = [row for row in rows if row.cache == "hit semantic"]
    refused = {row.cache.split()[-1] for row in rows if row.cache.startswith("miss guard-")}
    chosen = {row.tier for row in rows if row.reason in CLASSIFIED and not row.hit}
    failovers = [row for row in rows if row.complete and row.failed and row.attempts > 1]
    json_first = set()
    streamed = []
    for row in rows:
        if row.ask.stream and row.cache == "hit exact" and row.ask.prompt in json_first:
            streamed.append(row)
        if row.stored and not row.ask.stream:
            json_first.add(row.ask.prompt)
    return [
        ("every request was answered completely", all(row.complete for row in rows)),
        (f"semantic hits: {len(semantic)}, at least 2", len(semantic) >= 2),
        ("a near-miss refused for its number", "guard-number" in refused),
        ("a near-miss refused for its negation", "guard-negation" in refused),
        (f"tiers chosen by the classifier: {', '.join(sorted(chosen)) or 'none'}", len(chosen) == 3),
        (f"failovers: {len(failovers)}, at least 1", bool(failovers)),
        (f"streams served from JSON entries: {len(streamed)}, at least 1", bool(streamed)),
    ]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: demo.py http://HOST:PORT")
    client = http.client.HTTPConnection(urlsplit(sys.argv[1]).netloc, timeout=60)
    table, rows = Table(), []
    table.head()
    for item in script():
        if isinstance(item, str):
            table.block(item)
        else:
            rows.append(send(client, item))
            table.row(rows[-1])
    summary(rows)
    print()
    results = promises(rows)
    for sentence, seen in results:
        print(f"  {table.paint(32, 'ok     ') if seen else table.paint(31, 'MISSING')} {sentence}")
    return 0 if all(seen for _, seen in results) else 1


if __name__ == "__main__":
    sys.exit(main())
