#!/usr/bin/env python3
"""A stream of requests whose right answers change, for `semgate replay`.

Three kinds of facts are asked for over two weeks: some never change, some change every few days,
some every few hours. A row's `answer_id` is the fact in its version of that moment, so that a
repeated answer that has been overtaken counts as a wrong hit. `tags.changes` tells the kind.

    scripts/make-stale-stream.py > stale.jsonl
    semgate replay --input stale.jsonl --json        # wrong hits by class under `ttl_classes`
    semgate replay --input stale.jsonl --json --set cache.ttl.volatile=30d   # without the class
"""

import argparse
import json
import random

HOUR = 3600
DAY = 24 * HOUR
START = 1_780_000_000

CITIES = ["Oslo", "Porto", "Leeds", "Turin", "Graz", "Bergen", "Lyon", "Gdansk"]
GOODS = ["gold", "wheat", "copper", "diesel"]
SHOPS = ["bakery", "library", "workshop", "clinic"]
WORDS = ["osmosis", "entropy", "inertia", "photosynthesis", "erosion", "tectonics"]
COUNTRIES = ["Mongolia", "Slovenia", "Bolivia", "Kenya", "Laos", "Iceland"]

# Kind, hours between two versions (0: none), templates, what is put in.
FACTS = [
    ("hours", 4, ["What is the weather in {} right now?", "what's the weather in {} right now"],
     CITIES),
    ("hours", 6, ["What is the price of {} today?", "what is the price of {} today"], GOODS),
    ("hours", 12, ["Give me the latest news from {}.", "give me the latest news from {}"], CITIES),
    ("days", 72, ["Which documents does the {} ask new members for?",
                  "which documents does the {} ask new members for"], SHOPS),
    ("days", 120, ["How do I hand back a loan at the {}?", "how do I hand back a loan at the {}"],
     SHOPS),
    ("never", 0, ["Define {}.", "define {}"], WORDS),
    ("never", 0, ["What is the capital of {}?", "what is the capital of {}"], COUNTRIES),
]


def rows(count, rng):
    facts = [(kind, hours, templates, thing)
             for kind, hours, templates, things in FACTS for thing in things]
    rng.shuffle(facts)
    # A few facts are asked for often, most now and then.
    weights = [1 / (place + 1) ** 0.7 for place in range(len(facts))]
    # Versions do not change on the hour of our start.
    offsets = [rng.random() * hours * HOUR for _, hours, _, _ in facts]
    times = sorted(rng.random() * 14 * DAY for _ in range(count))
    for number, time in enumerate(times):
        place = rng.choices(range(len(facts)), weights)[0]
        kind, hours, templates, thing = facts[place]
        version = int((time + offsets[place]) // (hours * HOUR)) if hours else 0
        prompt = rng.choice(templates).format(thing)
        yield {
            "id": f"r{number}",
            "time": START + time,
            "prompt": prompt,
            "answer_id": f"{templates[0].format(thing)}#{version}",
            "tags": {"changes": kind},
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for row in rows(args.rows, random.Random(args.seed)):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
