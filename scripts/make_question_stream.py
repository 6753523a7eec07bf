#!/usr/bin/env python3
"""Makes benches/questions.jsonl, the question stream that scripts/bench-savings.sh replays.

    scripts/make_question_stream.py [--rows N] [--seed N] [--output FILE] [--check]

The texts stand in benches/questions/*.txt and were written by hand for this purpose. A row has `id`,
`prompt`, `answer_id` (rows with the same one may be answered by one answer) and `kind`, which follows
from what the stream held before it:

  repeat      this very text was asked before
  paraphrase  other words, and the answer was given before
  near-miss   a new answer, though a question of the same family was asked before
  first       a new answer of a family that is new, too
  one-off     a question that nobody else asks

`--check` makes the stream and compares it with the file instead of writing it.

An intent is a line `= family.name | slot: value, value`, then its phrasings. Each combination of slot
values is an answer of its own; a value `a>b` fills {slot.1} and {slot.2}. Intents whose names share
the part before the first dot are a family: they differ in a number, a unit, a direction, a negation or
the opposite word, and no answer of one serves another.

Standard library only; the same seed gives the same bytes on any machine.
"""

import argparse
import itertools
import json
import pathlib
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "benches" / "questions"

# Shares of the stream; the rest are further questions about intents.
ONE_OFFS = 0.34
REPEATS = 0.10
# Popularity of the answer of rank r is r^-EXPONENT.
EXPONENT = 0.8
# How often a text is dressed up, mistyped, or written in lower case.
DRESSED, MISTYPED, LOWER = 0.22, 0.08, 0.14

OPENERS = ["Hi, ", "Hello! ", "Quick question: ", "Sorry to bother you. ", "hey, ", "One more thing: "]
CLOSERS = [" Thanks!", " Thank you in advance.", " thx", " Please help.", " I'd appreciate a short answer."]


@dataclass(frozen=True)
class Answer:
    """One answer and every text that asks for it."""

    name: str
    family: str
    texts: tuple


def fill(template, values):
    """A phrasing with its slots filled."""

    def value(match):
        slot, _, part = match[1].partition(".")
        text = values[slot]
        return text.split(">")[int(part) - 1] if part else text

    text = re.sub(r"\{([a-z]+(?:\.[12])?)\}", value, template)
    return text[0].upper() + text[1:] if template[0] == "{" else text


def slots(line):
    """`n: 1, 2 | c: x, y` as name to values."""
    found = {}
    for part in filter(None, map(str.strip, line.split("|"))):
        name, values = part.split(":", 1)
        found[name.strip()] = [value.strip() for value in values.split(",")]
    return found


def intents(path):
    """Every answer of a file of intents."""
    for block in path.read_text(encoding="utf-8").split("\n= ")[1:]:
        head, *lines = block.splitlines()
        name, _, rest = head.partition("|")
        name, choices = name.strip(), slots(rest)
        phrasings = [line for line in lines if line.strip()]
        for values in itertools.product(*choices.values()):
            chosen = dict(zip(choices, values))
            texts = tuple(fill(phrasing, chosen) for phrasing in phrasings)
            answer = "/".join([name, *(re.sub(r"[^A-Za-z0-9>]+", "-", v) for v in values)])
            yield Answer(answer, name.split(".")[0], texts)


def one_offs(path, rng):
    """Every one-off question, in one of its phrasings."""
    phrasings = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith("> "):
            phrasings.append(line)
            continue
        for subject in line[2:].split(";"):
            yield rng.choice(phrasings).replace("{x}", subject.strip())
        phrasings = []


def mistype(text, rng):
    """One slip of the fingers, in a word that is long and plain: names and numbers decide answers."""
    words = text.split(" ")
    plain = [i for i, word in enumerate(words) if i > 0 and len(word) > 5 and word.isalpha() and word.islower()]
    if not plain:
        return text
    index = rng.choice(plain)
    word, at = words[index], rng.randrange(1, len(words[index]) - 2)
    words[index] = rng.choice([
        word[:at] + word[at + 1] + word[at] + word[at + 2:],
        word[:at] + word[at + 1:],
        word[:at] + word[at] + word[at:],
    ])
    return " ".join(words)


def dress(text, rng):
    """The same question as another person would type it."""
    if rng.random() < DRESSED:
        if rng.random() < 0.6:
            opener = rng.choice(OPENERS)
            text = opener + (text if text.split()[0] == "I" or opener.endswith((". ", "! ")) else lower_first(text))
        else:
            text = text + ("" if text[-1] in "?!." else ".") + rng.choice(CLOSERS)
    if rng.random() < MISTYPED:
        text = mistype(text, rng)
    if rng.random() < LOWER:
        text = text.lower().rstrip("?.!")
    return text


def lower_first(text):
    """Lower case at the start, unless the first word is a name or an acronym."""
    first = text.split()[0]
    common = {"how", "what", "what's", "where", "when", "why", "which", "who", "can", "could", "is", "are", "do",
              "does", "did", "may", "should", "will", "would", "please", "in", "on", "at", "from", "for", "to",
              "give", "tell", "explain", "write", "draft", "convert", "my", "the", "there", "a", "an", "by",
              "until", "must", "was", "name", "calculate", "help", "put", "send", "stop", "show"}
    return text[0].lower() + text[1:] if first.rstrip(",:").lower() in common else text


def stream(answers, singles, rows, rng):
    """Rows (text, answer, family) in their order."""
    rng.shuffle(answers)
    rng.shuffle(singles)
    weights = list(itertools.accumulate((rank + 1) ** -EXPONENT for rank in range(len(answers))))
    plan = ["one-off"] * round(rows * ONE_OFFS) + ["repeat"] * round(rows * REPEATS)
    if plan.count("one-off") > len(singles):
        sys.exit(f"{len(singles)} one-off questions are too few for {rows} rows")
    plan += ["intent"] * (rows - len(plan))
    rng.shuffle(plan)
    unused = {answer: rng.sample(answer.texts, len(answer.texts)) for answer in answers}
    asked, history = set(), []
    for turn in plan:
        if turn == "one-off":
            text = singles.pop()
            number = len(singles)
            yield text, f"one-off/{number}", None
            asked.add(text)
        elif turn == "repeat" and history:
            yield rng.choice(history)
        else:
            answer, text = next_text(answers, weights, unused, asked, rng)
            asked.add(text)
            history.append((text, answer.name, answer.family))
            yield history[-1]


def next_text(answers, weights, unused, asked, rng):
    """A text that was not asked yet, for an answer drawn by popularity."""
    while True:
        answer = rng.choices(answers, cum_weights=weights)[0]
        # A phrasing again, once all were used, comes dressed differently.
        plain = unused[answer].pop() if unused[answer] else rng.choice(answer.texts)
        for _ in range(6):
            text = dress(plain, rng)
            if text not in asked:
                return answer, text


def kind(text, answer, family, seen):
    """What a row is, given what came before."""
    texts, answers, families = seen
    if family is None:
        return "one-off"
    if text in texts:
        return "repeat"
    if answer in answers:
        return "paraphrase"
    return "near-miss" if family in families else "first"


def check_truth(answers):
    """One text, one answer: a text that asks for two answers would be a lie in the labels."""
    owner = {}
    for answer in answers:
        for text in answer.texts:
            plain = re.sub(r"[^a-z0-9%°/^.]+", " ", text.lower()).strip(" .")
            if owner.setdefault(plain, answer.name) != answer.name:
                sys.exit(f"{text!r} asks for both {owner[plain]} and {answer.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2450)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "benches" / "questions.jsonl")
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    files = [TEXTS / name for name in ("service.txt", "life.txt", "knowledge.txt")]
    answers = [answer for path in files for answer in intents(path)]
    check_truth(answers)
    singles = list(one_offs(TEXTS / "oneoffs.txt", rng))
    seen, kinds, lines = (set(), set(), set()), Counter(), []
    for number, (text, answer, family) in enumerate(stream(answers, singles, arguments.rows, rng), 1):
        row_kind = kind(text, answer, family, seen)
        kinds[row_kind] += 1
        for known, new in zip(seen, (text, answer, family)):
            known.add(new)
        row = {"id": f"q{number:04}", "prompt": text, "answer_id": answer, "kind": row_kind}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    made = "".join(lines)
    summary = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
    print(f"{len(lines)} rows, {len(seen[1])} answers, {len(made.encode())} bytes: {summary}")
    if not arguments.check:
        arguments.output.write_text(made, encoding="utf-8")
    elif arguments.output.read_text(encoding="utf-8") != made:
        sys.exit(f"{arguments.output} differs from what its texts and seed give")


if __name__ == "__main__":
    main()
