#!/usr/bin/env python3
"""Replays question streams and reports hits, wrong hits, tiers and money: what scripts/bench-savings.sh
runs after it has built `semgate`. The figures are those of `semgate replay` and, for simpler caches, of
examples/fixed_threshold.rs on the same rows; this adds the hits by kind of question where rows have a `kind`,
the latency of a running gateway, and LiteLLM where it is installed. Standard library only.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import bench_latency
import bench_litellm
from bench_report import markdown

# Rows that LiteLLM is given: it takes tens of milliseconds for each.
LITELLM_ROWS = 2000


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


def baselines(arguments, stream):
    """What simpler caches make of the stream, name and report of each; and the file of its vectors."""
    command = [arguments.fixed, "--config", arguments.config, "--threshold", arguments.threshold]
    for pair in arguments.sets:
        command += ["--set", pair]
    done = subprocess.run([*command, stream], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    found = json.loads(done.stdout)[0]
    return found["rows"], found["vectors"]


def ready(log, process):
    """The data plane's address, once the gateway has printed it."""
    for _ in range(600):
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("semgate ready data="):
                return line.split("data=")[1].split()[0]
        if process.poll() is not None:
            sys.exit("error: semgate serve did not start")
        time.sleep(0.1)
    sys.exit("error: semgate serve is not ready after a minute")


def latency(arguments, rows):
    """Percentiles of hits and misses of a gateway that starts empty."""
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        folder = pathlib.Path(folder)
        homes = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
        log = folder / "ready"
        with open(log, "wb") as out, open(folder / "log", "wb") as err:
            process = subprocess.Popen([arguments.semgate, "serve", "--config", arguments.config],
                                       stdout=out, stderr=err, env={**os.environ, **homes})
        try:
            return bench_latency.measure(ready(log, process), rows)
        finally:
            process.terminate()
            process.wait()


def measure(arguments, stream, work):
    decisions = work / "decisions.jsonl"
    report = replay(arguments, stream, decisions)
    pairs = beside(stream, decisions)
    rows = [row for row, _ in pairs]
    found = {"input": str(stream), "report": report, "oracle_hit_rate": oracle(rows),
             "by_kind": by_kind(pairs), "wrong": wrong_hits(pairs), "baselines": [], "latency": None, "litellm": []}
    vectors = None
    if arguments.fixed:
        found["baselines"], vectors = baselines(arguments, stream)
    if arguments.latency:
        found["latency"] = latency(arguments, rows[:arguments.latency])
        if bench_litellm.is_installed() and all("prompt" in row for row in rows):
            known = bench_litellm.vectors(vectors, rows) if vectors else None
            found["litellm"] = bench_litellm.run(rows[:LITELLM_ROWS], known)
    return found


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


def beside_others(name, stream):
    """The caches beside each other. Saved is against the baseline, the router's part included; what a cache
    saves is its row less the one without a cache."""
    rows = [[f"cache on {name}", "hit rate", "wrong hits of lookups", "precision", "saved", "saved by the cache"]]
    reports = [(entry["name"], entry["report"]) for entry in stream["baselines"]]
    reports.append(("semgate", stream["report"]))
    without = next((report["saved_usd"] for kind, report in reports if kind == "no cache"), None)
    for kind, report in reports:
        saved = report["saved_usd"]
        own = None if None in (saved, without) else saved - without
        rate = lambda key: percent(report[key], report["intervals"][key])
        judged = [rate("wrong_hit_rate"), rate("precision")] if report["hits"]["semantic"] else ["—", "—"]
        rows.append([kind, rate("hit_rate"), *judged, dollars(saved), dollars(own)])
    for other in stream["litellm"]:
        hits, requests = other["hits"], other["requests"]
        rows.append([f"{other['name']} (first {requests})", percent(hits / requests), percent(other["wrong"] / requests),
                     percent(1 - other["wrong"] / hits if hits else None), "—", "—"])
    return rows


def waits(name, stream):
    """Latency as a client sees it."""
    found = stream["latency"]
    rows = [[f"latency on {name}, first {found['requests']} requests", "requests", "p50", "p90", "p99"]]
    kinds = [("semgate, exact hit", found.get("exact")), ("semgate, semantic hit", found.get("semantic")),
             ("semgate, miss, with its provider", found.get("miss")), ("semgate, miss, own part", found.get("own"))]
    for other in stream["litellm"]:
        kinds += [(f"{other['name']}, hit", other["hit"]), (f"{other['name']}, miss, own part", other["miss"])]
    for kind, times in kinds:
        if times:
            rows.append([kind, str(times["n"]), *(f"{times[key]:.2f} ms" for key in ("p50_ms", "p90_ms", "p99_ms"))])
    if found["failed"]:
        rows.append(["failed", str(found["failed"]), "—", "—", "—"])
    return rows


def table(streams, with_wrong):
    names = [pathlib.Path(stream["input"]).name for stream in streams]
    columns = [dict(figures(stream)) for stream in streams]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows = [["what", *names]] + [[label, *(column.get(label, "—") for column in columns)] for label in labels]
    lines = markdown(rows)
    for name, stream in zip(names, streams):
        if stream["baselines"]:
            lines += ["", *markdown(beside_others(name, stream))]
        if stream["latency"]:
            lines += ["", *markdown(waits(name, stream))]
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
    parser.add_argument("--fixed", help="the built example of caches with a fixed threshold")
    parser.add_argument("--threshold", default="0.8,0.95", help="its thresholds")
    parser.add_argument("--latency", type=int, default=0, help="rows that are sent to a running gateway")
    parser.add_argument("--work", help="folder for the gateway's files")
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
