#!/usr/bin/env python3
"""Replays question streams and reports hits, wrong hits, tiers and money: what scripts/bench-savings.sh
runs after it has built `semgate`. All figures are those of `semgate replay`; this adds the hits by kind
of question where rows have a `kind`, and puts several streams side by side. Standard library only.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from bench_report import markdown


def replay(arguments, stream, decisions):
    """The report of one stream; one line a request goes to `decisions`."""
    command = [arguments.semgate, "replay", "--json", "--config", arguments.config, "--input", stream,
               "--decisions", decisions]
    for pair in arguments.sets:
        command += ["--set", pair]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def rows_of(stream):
    """The stream's rows in order, without blank lines: as replay reads them."""
    with open(stream, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(stream, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def beside(stream, decisions):
    """Each row with the decision on it."""
    lines = decisions.read_text(encoding="utf-8").splitlines()
    rows = rows_of(stream)
    if len(rows) != len(lines):
        sys.exit(f"error: {stream} has {len(rows)} rows and {len(lines)} decisions")
    return list(zip(rows, map(json.loads, lines)))


def by_kind(pairs):
    """Requests, hits and wrong hits for each kind; empty where rows have none."""
    kinds = {}
    for row, decision in pairs:
        if "kind" not in row:
            return {}
        found = kinds.setdefault(row["kind"], {"requests": 0, "exact": 0, "semantic": 0, "wrong": 0})
        found["requests"] += 1
        if decision["level"]:
            found[decision["level"]] += 1
            found["wrong"] += decision["wrong"] is True
    return kinds


def oracle(rows):
    """Hit rate of a cache that never errs: every answer is fetched once. None without labels."""
    labels = [row.get("answer_id") for row in rows]
    return None if None in labels or not labels else 1 - len(set(labels)) / len(labels)


def wrong_hits(pairs):
    """Question, question that made the answer, and the score, of each wrong hit."""
    prompts = {str(row.get("id", number)): row.get("prompt") for number, (row, _) in enumerate(pairs, 1)}
    return [{"prompt": row.get("prompt"), "answered_as": prompts.get(decision["entry_id"]),
             "score": decision["score"], "line": decision["line"]}
            for row, decision in pairs if decision["wrong"] is True]


def measure(arguments, stream, work):
    decisions = work / "decisions.jsonl"
    report = replay(arguments, stream, decisions)
    pairs = beside(stream, decisions)
    return {"input": str(stream), "report": report, "oracle_hit_rate": oracle([row for row, _ in pairs]),
            "by_kind": by_kind(pairs), "wrong": wrong_hits(pairs)}


def percent(value, interval=None):
    if value is None:
        return "unmeasured"
    text = f"{value * 100:.2f} %"
    return f"{text} [{interval[0] * 100:.2f}, {interval[1] * 100:.2f}]" if interval else text


def dollars(value):
    return "unknown" if value is None else f"${value:.4f}"


def figures(stream):
    """Name and value of each figure, in the order of the table."""
    report = stream["report"]
    spans, requests = report["intervals"], report["requests"]
    yield "requests", str(requests)
    yield "lookups", str(report["lookups"])
    yield "hits, exact + semantic", f"{report['hits']['exact']} + {report['hits']['semantic']}"
    yield "hit rate", percent(report["hit_rate"], spans["hit_rate"])
    yield "hit rate of an oracle", percent(stream["oracle_hit_rate"])
    yield "wrong hits", "unmeasured" if report["wrong_hits"] is None else str(report["wrong_hits"])
    yield "wrong-hit rate", percent(report["wrong_hit_rate"], spans["wrong_hit_rate"])
    yield "precision", percent(report["precision"], spans["precision"])
    mix = ", ".join(f"{tier} {count} ({count / requests:.0%})" for tier, count in report["tiers"].items())
    yield "tier mix of misses", mix or "—"
    yield "spend", dollars(report["spend_usd"])
    yield "always frontier", dollars(report["baseline_usd"])
    saved, baseline = report["saved_usd"], report["baseline_usd"]
    share = f" ({saved / baseline:.1%})" if saved is not None and baseline else ""
    yield "saved", dollars(saved) + share
    if report["quality"] is not None:
        yield "quality, served and frontier", f"{report['quality']:.4f}, {report['baseline_quality']:.4f}"
    yield "priced by estimate", percent(report["estimated_share"])


def table(streams, with_wrong):
    names = [pathlib.Path(stream["input"]).name for stream in streams]
    columns = [dict(figures(stream)) for stream in streams]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows = [["what", *names]] + [[label, *(column.get(label, "—") for column in columns)] for label in labels]
    lines = markdown(rows)
    for name, stream in zip(names, streams):
        if stream["by_kind"]:
            rows = [[f"kind of question in {name}", "requests", "exact hits", "semantic hits", "wrong"]]
            rows += [[kind, *map(str, found.values())] for kind, found in stream["by_kind"].items()]
            lines += ["", *markdown(rows)]
        if with_wrong:
            lines += ["", f"Wrong hits in {name}:"]
            lines += [f"  {hit['prompt']}\n    was answered as: {hit['answered_as']}" for hit in stream["wrong"]]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--semgate", required=True, help="the binary")
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--wrong", action="store_true", help="list the wrong hits")
    parser.add_argument("streams", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="semgate-bench-") as work:
        streams = [measure(arguments, stream, pathlib.Path(work)) for stream in arguments.streams]
    if arguments.json:
        print(json.dumps({"config": os.path.relpath(arguments.config), "set": arguments.sets, "streams": streams}))
    else:
        print(table(streams, arguments.wrong))


if __name__ == "__main__":
    main()
