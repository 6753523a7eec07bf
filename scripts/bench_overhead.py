#!/usr/bin/env python3
"""Measures what semgate adds to a request, beside other gateways where asked. Run by
scripts/bench-overhead.sh, which builds what is compared.

Figure: CPU time (user + system, all threads, process CPU clock) of the gateway's process per request,
or per 1,000 chunks of a stream. Every round visits all targets, in rotated order; a cell is preceded by
a warm-up of a tenth. Table values are medians of rounds, ratios are medians of per-round ratios to the
cheapest peer there. Latency comes from a closed-loop client on the same machine: for orientation only.

Every answer is checked, and so is the provider's count of requests; any fault voids the run.
Standard library only.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import bench_targets as targets
from bench_report import footprint, judge, table

WORDS = ("Explain in plain words how the crates of shipment {n} were weighed, labelled and stacked on the "
         "upper deck of the barge, and which of the dockers signed the ledger")


@dataclass(frozen=True)
class Cell:
    """One row of the table. `kind` says what is sent: `new` prompts, one prompt again (`hit`), or one
    prompt in other letters (`semantic`)."""

    name: str
    model: str
    requests: int
    goal: float | None = None
    kind: str = "new"
    connections: int = 1
    prompt: int = 200
    tokens: int = 190
    events: tuple | None = None
    chunks: int = 0
    # Which gateway of ours, and whether peers and the provider alone are asked, too.
    ours: str = "semgate"
    peers: bool = True
    # The row whose peers it is compared with; without peers of its own.
    beside: str | None = None


# LiteLLM needs about fifty times the CPU time of the others: it gets a share of the requests.
SLOW = 10

PASS, PASS16 = "pass-through, 200 B prompt, 1 KB answer, 1 connection", "the same, 16 connections"
PASS20 = "pass-through, 20 KB prompt, 1 connection"
HIT, SEMANTIC = "exact hit, JSON, 1 connection", "semantic hit"
MISS = "miss: embedded, searched, routed, 1 connection"
CELLS = [
    Cell(PASS, "json", 1500, 0.38),
    Cell(PASS16, "json", 3000, 0.33, connections=16),
    Cell(PASS20, "json", 800, 0.45, prompt=20_000),
    Cell("stream, 200 chunks, one each 2 ms, 8 streams", "paced", 48, 0.50, connections=8, tokens=200,
         events=(200, 204), chunks=200),
    Cell("stream, 2,000 chunks, one each 1 ms, 4 streams", "long", 8, 0.50, connections=4, tokens=2000,
         events=(2000, 2004), chunks=2000),
    Cell("stream as fast as the mock writes", "fast", 200, 0.38, connections=8, tokens=200, events=(200, 204),
         chunks=200),
    Cell(HIT, "json", 3000, 0.13, "hit", peers=False, beside=PASS),
    Cell("exact hit, JSON, 16 connections", "json", 3000, 0.12, "hit", 16, peers=False, beside=PASS16),
    Cell("exact hit, 20 KB prompt", "json", 3000, 0.22, "hit", prompt=20_000, peers=False, beside=PASS20),
    Cell("exact hit as a 50-event stream", "fifty", 2000, 0.15, "hit", tokens=310, events=(45, 55), peers=False,
         beside=PASS),
    Cell(MISS, "auto", 300, ours="semgate-model", peers=False),
    Cell("exact hit, with the model loaded", "json", 1500, kind="hit", ours="semgate-model", peers=False),
    Cell(SEMANTIC, "json", 300, kind="semantic", ours="semgate-model", peers=False),
]


class Void(Exception):
    """A check failed: the figures of this run mean nothing."""


class Bench:
    """The processes, and a serial number so that no prompt is ever asked twice by chance."""

    def __init__(self, arguments, work):
        self.arguments, self.work, self.serial = arguments, work, 0
        self.running, self.ours, self.peers, self.idle_rss = [], {}, {}, {}

    def start(self):
        arguments, work = self.arguments, self.work
        self.provider = self.add(targets.fake_provider(arguments.bin / "fake-provider", work))
        binary = arguments.bin / "semgate"
        self.ours["semgate"] = self.add(targets.semgate(binary, self.provider, work))
        time.sleep(1)
        self.idle_rss["semgate"] = self.ours["semgate"].rss()
        if not arguments.no_model:
            model = targets.semgate(binary, self.provider, work, "semgate-model", model=True)
            self.ours["semgate-model"] = self.add(model)
        for name in arguments.peers:
            self.peers[name] = self.add(targets.PEERS[name](self.provider, work))
            time.sleep(1)
            self.idle_rss[name] = self.peers[name].rss()

    def add(self, target):
        self.running.append(target)
        return target

    def stop(self):
        for target in reversed(self.running):
            target.stop()

    def targets_of(self, cell):
        """Whom a cell asks; the provider alone is the floor."""
        return [self.ours[cell.ours], *([self.provider, *self.peers.values()] if cell.peers else [])]

    def text(self, cell, number):
        """A prompt of the wanted length. For hits always the same; for semantic hits the same words
        with other capitals, which is no longer the same key."""
        if cell.kind == "new":
            return padded(WORDS.format(n=f"{number:09}"), cell.prompt)
        text = padded(WORDS.format(n="000000000" if cell.kind == "hit" else "999999999"), cell.prompt)
        if cell.kind == "hit" or number == 0:
            return text
        # Only words that change in capitals may spell the number.
        words, bit = text.split(" "), 0
        for place, word in enumerate(words):
            if word != word.upper():
                words[place] = word.upper() if number >> bit & 1 else word
                bit += 1
        return " ".join(words)

    def bodies(self, cell, target, count, offset):
        """A file of prepared bodies."""
        model = "auto" if cell.model == "auto" else target.upstream(cell.model)
        lines = []
        for number in range(1 if cell.kind == "hit" else count):
            serial = self.serial + number if cell.kind == "new" else offset + number
            body = {"model": model, "messages": [{"role": "user", "content": self.text(cell, serial)}]}
            if cell.events:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            lines.append(json.dumps(body))
        self.serial += count
        path = self.work / "bodies.jsonl"
        path.write_text("\n".join(lines) + "\n")
        return path

    def load(self, cell, target, count, offset=0, primed=True, extra=()):
        """The command that sends `count` requests of a cell."""
        command = [self.arguments.load, "--address", target.address, "--path", target.path, "--bodies",
                   self.bodies(cell, target, count, offset), "--requests", str(count), "--connections",
                   str(min(cell.connections, count)), "--completion-tokens", str(cell.tokens), *extra]
        command += ["--header", f"authorization: Bearer {target.key or 'none'}"]
        if primed and target in self.ours.values():
            detail = {"new": "semgate; fwd=miss", "hit": "detail=exact", "semantic": "detail=semantic"}[cell.kind]
            command += ["--expect", detail]
        if cell.events:
            command += ["--stream"]
            command += ["--min-events", str(cell.events[0]), "--max-events", str(cell.events[1])] if primed else []
        else:
            command += ["--min-body", "800", "--max-body", "1800"]
        return [str(part) for part in command]

    def send(self, cell, target, count, offset=0, primed=True):
        """Sends and checks; gives what the load generator reports."""
        targets.received(self.provider)
        done = subprocess.run(self.load(cell, target, count, offset, primed), capture_output=True, text=True)
        if done.returncode != 0:
            raise Void(f"{target.name}, {cell.name}: {done.stdout.strip()} {done.stderr.strip()}")
        came = targets.received(self.provider)
        expected = count if cell.kind == "new" or not primed else 0
        if came != expected:
            raise Void(f"{target.name}, {cell.name}: the provider had {came} requests instead of {expected}")
        return json.loads(done.stdout.splitlines()[0])

    def measure(self, cell, target, quick, round_number):
        """One cell of one round."""
        count = cell.requests // (25 if quick else 1) // (SLOW if target.name == "litellm" else 1)
        count = max(count, 2 * cell.connections)
        warm = max(count // 10, cell.connections)
        offset = 1 + round_number * (count + warm)
        if cell.kind != "new":
            # The answer that all others repeat, made anew: another cell may have pushed it out.
            self.prime(cell, target)
        self.send(cell, target, warm, offset)
        before = target.cpu()
        said = self.send(cell, target, count, offset + warm)
        cpu = target.cpu() - before
        units = count * cell.chunks / 1000 if cell.chunks else count
        return {"us": cpu / units * 1e6, **{key: said[key] for key in said if key.endswith("_ms")}}

    def prime(self, cell, target):
        """Makes the stored answer. A repeated round finds it already stored, which is as good."""
        body = self.bodies(cell, target, 1, 0)
        self.serial += 1
        command = self.load(cell, target, 1, primed=False)
        command[command.index("--bodies") + 1] = str(body)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Void(f"{target.name}, {cell.name}: {done.stdout.strip()} {done.stderr.strip()}")
        # The semantic level sees an entry within a second.
        time.sleep(1.2 if cell.kind == "semantic" else 0.05)

    def rounds(self, cells, count):
        """Samples by cell and target."""
        samples = {cell.name: {} for cell in cells}
        for number in range(count):
            for place, cell in enumerate(cells):
                asked = self.targets_of(cell)
                turn = (number + place) % len(asked)
                for target in asked[turn:] + asked[:turn]:
                    sample = self.measure(cell, target, self.arguments.quick, number)
                    samples[cell.name].setdefault(target.name, []).append(sample)
                print(f"round {number + 1} of {count}: {cell.name}", file=sys.stderr)
        return samples

    def held_rss(self):
        """Bytes of memory per open stream, by target."""
        streams = 40 if self.arguments.quick else 400
        cell = Cell("held", "held", streams, connections=streams, tokens=50, events=(0, 60))
        found = {}
        for target in [self.ours["semgate"], *self.peers.values()]:
            command = self.load(cell, target, streams, primed=False, extra=["--hold"])
            before = target.rss()
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            said = json.loads(process.stdout.readline())
            process.stdout.readline()
            time.sleep(1)
            found[target.name] = (target.rss() - before) / streams
            process.stdin.close()
            process.wait(30)
            if said["faults"] or said["answers"] != streams:
                raise Void(f"{target.name}, open streams: {said}")
        return found


def padded(text, length):
    """Cut or lengthened to so many bytes with plain words."""
    filler = " and then the next crate came down the ramp"
    while len(text) < length:
        text += filler
    return text[:length].rstrip()


def run(arguments, work):
    begin = os.getloadavg()
    bench = Bench(arguments, work)
    try:
        bench.start()
        cells = [cell for cell in CELLS if cell.ours in bench.ours]
        samples = bench.rounds(cells, arguments.rounds)
        repeated = []
        missed = [row["name"] for row in judge(cells, samples, bench.peers) if row["met"] is False]
        if missed and not (arguments.quick or arguments.once):
            # A missed goal gets one repetition, with the rows that it is compared with.
            names = set(missed) | {cell.beside for cell in cells if cell.name in missed}
            repeated = [cell.name for cell in cells if cell.name in names]
            again = [cell for cell in cells if cell.name in names]
            samples |= bench.rounds(again, arguments.rounds)
        held = bench.held_rss()
        starts = [targets.first_connection_ms(arguments.bin / "semgate", bench.provider, work)
                  for _ in range(2 if arguments.quick else 7)]
        return {
            "rounds": arguments.rounds, "quick": arguments.quick, "peers": list(bench.peers),
            "packages": {name: targets.PACKAGES[name] for name in bench.peers},
            "binary": str(arguments.bin), "cpus": os.cpu_count(),
            "load_before": begin, "load_after": os.getloadavg(),
            "rows": judge(cells, samples, bench.peers), "repeated": repeated,
            "rss_idle_bytes": bench.idle_rss, "rss_per_stream_bytes": held, "start_ms": starts,
            "samples": samples, "cells": [dataclasses.asdict(cell) for cell in cells],
        }
    finally:
        bench.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of semgate and fake-provider")
    parser.add_argument("--load", type=pathlib.Path, required=True, help="the load generator")
    parser.add_argument("--peers", nargs="?", const=",".join(targets.PEERS), default="",
                        help="other gateways, all or a list: " + ",".join(targets.PEERS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="2 rounds of few requests: a smoke test, no figures")
    parser.add_argument("--once", action="store_true", help="do not measure rows that miss their goal again")
    parser.add_argument("--no-model", action="store_true", help="leave out the rows that need the embedding model")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    arguments.bin, arguments.load = arguments.bin.resolve(), arguments.load.resolve()
    arguments.peers = list(filter(None, arguments.peers.split(",")))
    if unknown := [name for name in arguments.peers if name not in targets.PEERS]:
        parser.error(f"no such peer: {', '.join(unknown)}")
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    # Ended from outside, it must still end what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="semgate-bench-") as work:
        try:
            result = run(arguments, pathlib.Path(work))
        except (Void, targets.Failed) as error:
            sys.exit(f"error: {error}")
    print(json.dumps(result) if arguments.json else table(result))
    missed = [row["name"] for row in result["rows"] if row["met"] is False]
    missed += [name for name, _, _, _, met in footprint(result) if not met]
    if arguments.strict and missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
