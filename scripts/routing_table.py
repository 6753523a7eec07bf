"""The table of benches/README.md from the report of `semgate router eval --json`. For scripts/eval-routing.sh:
routing_table.py REPORT PROFILE SECONDS COMMAND."""

import datetime
import json
import os
import pathlib
import platform
import sys


def interval(pair, digits=3):
    return f"[{pair[0]:.{digits}f}, {pair[1]:.{digits}f}]"


def signed(value, pair):
    return f"{value:+.3f} [{pair[0]:+.3f}, {pair[1]:+.3f}]"


def learnt(figure):
    return f"{figure['apgr']:.3f} {interval(figure['ci'])}; minus length {signed(figure['difference_to_length'], figure['difference_ci'])}"


def promise(figure):
    return (f"held in {figure['held']:.0%} of {figure['splits']} splits of the worst set; saving {figure['saving']:.1%}, "
            f"{figure['saving_share']:.0%} of `honest_save`'s")


def online(report):
    after = {mark["labels"]: mark for mark in report["online"]["marks"]}
    curve = ", ".join(f"{mark['apgr']:.3f} after {labels:,}" for labels, mark in after.items() if labels != 500)
    own = after[500]
    return (f"{own['apgr']:.3f} ± {1.96 * own['error']:.3f} over {report['online']['runs']} runs; {curve}; regret "
            f"{own['regret']:.1f} after 500, {after[5000]['regret']:.1f} after 5,000 (always strong: {report['online']['always_strong']:.1f})")


def shift(figure):
    after = figure["alarm_after"]
    slowest = "later than 500" if after is None else after
    return f"alarm after {slowest} requests in the slowest of {figure['runs']} runs; {figure['false_alarms']} false alarms"


def unseen(figure):
    return (f"{signed(figure['difference_to_length'], figure['ci'])} (mean of the sets), "
            f"{signed(figure['difference_by_rows'], figure['by_rows_ci'])} (by rows); macro APGR {figure['macro_apgr']:.3f}; "
            f"quality mode abstains on {figure['abstained']:.0%}")


def cases(figure):
    return f"{figure['right']} of {figure['of']}"


# The names of the figures are those under which they were asked for.
ROWS = [
    ("RouteLLM protocol MMLU, 1,500 labels", "APGR ≥ 0.66", lambda r: learnt(r["mmlu_1500"])),
    ("RouteLLM protocol MMLU, 200 labels", "APGR ≥ 0.63", lambda r: learnt(r["mmlu_200"])),
    ("RouteLLM protocol MMLU, 500 labels", "—", lambda r: learnt(r["mmlu_500"])),
    ("RouteLLM protocol MMLU, all labels", "—", lambda r: learnt(r["mmlu_all"])),
    ("RouteLLM protocol GSM8K, 5-fold repeated", "APGR ≥ 0.65, difference > 0", lambda r: learnt(r["gsm8k"])),
    ("no labels from the traffic: difference to length", "> 0; macro ≥ 0.58 hoped for", lambda r: unseen(r["unseen"])),
    ("`max_quality_loss` 2 points at confidence 0.9", "held ≥ 90 %, saving ≥ 60 %", lambda r: promise(r["promise_2"])),
    ("`max_quality_loss` 5 points at confidence 0.9", "held ≥ 90 %, saving ≥ 60 %", lambda r: promise(r["promise_5"])),
    ("injected shift: MMLU, then GSM8K", "alarm ≤ 500, none false", lambda r: shift(r["shift"])),
    ("online: APGR after 500 labels of MMLU", "≥ 0.63", online),
    ("decision time after the embedding", "p99 < 50 µs", lambda r: f"p99 {r['decision_p99_us']:.1f} µs, p50 {r['decision_p50_us']:.1f} µs"),
    ("LiteLLM's own routing cases", "≥ 28 of 29", lambda r: cases(r["litellm_cases"])),
    ("short but hard, long but easy", "≥ 27 of 30", lambda r: cases(r["own_cases"])),
]


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main():
    path, profile, seconds, command = sys.argv[1:]
    report = json.loads(pathlib.Path(path).read_text())
    out = [f"Machine: {os.cpu_count()} cores ({processor()}), {profile} build, {int(seconds)} s with known vectors. "
           f"Date: {datetime.date.today()}. Command: `{command}`.", "",
           "| figure | goal | measured |", "| --- | --- | --- |"]
    for name, goal, measured in ROWS:
        try:
            value = measured(report)
        except (KeyError, TypeError):
            value = "—"
        out.append(f"| {name} | {goal} | {value} |")
    for promised in ("promise_2", "promise_5"):
        if promised in report:
            out += ["", f"Loss of {report[promised]['points']:.0f} points, by set:", "",
                    "| set | rows | held | saving | `honest_save`: held | saving |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
            out += [f"| {one['set']} | {one['rows']:,} | {one['held']:.0%} | {one['saving']:.1%} | {one['honest_held']:.0%} | "
                    f"{one['honest_saving']:.1%} |" for one in report[promised]["sets"]]
    if "unseen" in report:
        out += ["", "No labels from the traffic, by set:", "", "| set | rows | APGR | length | difference |",
                "| --- | ---: | ---: | ---: | --- |"]
        out += [f"| {one['set']} | {one['rows']:,} | {one['apgr']:.3f} | {one['length']:.3f} | "
                f"{signed(one['difference_to_length'], one['ci'])} |" for one in report["unseen"]["sets"]]
    sys.stdout.write("\n".join(out) + "\n")


main()
