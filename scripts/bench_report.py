"""From samples of scripts/bench_overhead.py to rows with ratios and goals, and to a table. Pure."""

from statistics import median

# Milliseconds that a semantic hit may take beyond an exact hit and its embedding.
SEMANTIC_EXTRA_MS = 0.2
EXACT_WITH_MODEL = "exact hit, with the model loaded"


def spread(values):
    return {"median": median(values), "min": min(values), "max": max(values)}


def cheapest(samples, peers):
    """The peer with the lowest median CPU time, and its rounds."""
    figures = {name: [sample["us"] for sample in samples[name]] for name in peers if name in samples}
    if not figures:
        return None, None
    best = min(figures, key=lambda name: median(figures[name]))
    return best, figures[best]


def judge(cells, samples, peers):
    """One row for each cell. `met` is None where nothing can be compared."""
    rows = []
    for cell in cells:
        own = samples[cell.name][cell.ours]
        beside = samples[cell.beside or cell.name]
        best, rounds = cheapest(beside, peers)
        figures = [sample["us"] for sample in own]
        row = {
            "name": cell.name, "unit": "µs per 1,000 chunks" if cell.chunks else "µs a request",
            "goal": f"≤ {cell.goal:.2f}" if cell.goal else None, "us": spread(figures),
            "best_peer": best, "best_peer_us": median(rounds) if rounds else None, "ratio": None, "met": None,
            "direct_us": median(s["us"] for s in beside["direct"]) if "direct" in beside else None,
            "p50_ms": median(sample["p50_ms"] for sample in own),
            "p90_ms": median(sample["p90_ms"] for sample in own),
            "p99_ms": median(sample["p99_ms"] for sample in own),
            "first_p50_ms": median(sample["first_p50_ms"] for sample in own),
            "others": {name: {"us": median(s["us"] for s in found), "p50_ms": median(s["p50_ms"] for s in found),
                              "p99_ms": median(s["p99_ms"] for s in found)}
                       for name, found in samples[cell.name].items() if name != cell.ours},
        }
        if rounds:
            row["ratio"] = spread([ours / theirs for ours, theirs in zip(figures, rounds)])
            row["met"] = row["ratio"]["median"] <= cell.goal if cell.goal else None
        if cell.kind == "semantic":
            row |= semantic(own, samples[EXACT_WITH_MODEL][cell.ours])
        rows.append(row)
    return rows


def semantic(own, exact):
    """What a semantic hit takes beyond an exact hit and the embedding that the gateway reports."""
    extra = [ours["without_embed_p50_ms"] - base["p50_ms"] for ours, base in zip(own, exact)]
    return {
        "goal": f"exact hit + embedding + ≤ {SEMANTIC_EXTRA_MS} ms",
        "embed_p50_ms": median(sample["embed_p50_ms"] for sample in own),
        "extra_ms": spread(extra), "met": median(extra) <= SEMANTIC_EXTRA_MS,
    }


def footprint(result):
    """Memory and start: name, goal, measured, peers, met."""
    idle, held, starts = result["rss_idle_bytes"], result["rss_per_stream_bytes"], result["start_ms"]

    def others(figures, unit, divisor):
        found = {name: value / divisor for name, value in figures.items() if name != "semgate"}
        return ", ".join(f"{name} {value:.0f} {unit}" for name, value in found.items())

    return [
        ("RSS idle, no model", "≤ 30 MB", f"{idle['semgate'] / 1e6:.1f} MB", others(idle, "MB", 1e6),
         idle["semgate"] <= 30e6),
        ("RSS per open stream (400 open, one run)", "≤ 60 KB", f"{held['semgate'] / 1e3:.1f} KB",
         others(held, "KB", 1e3), held["semgate"] <= 60e3),
        ("start to first accepted connection, no model", "≤ 100 ms on a quiet machine",
         f"{median(starts):.0f} ms ({min(starts):.0f} to {max(starts):.0f})", "", median(starts) <= 100),
    ]


def table(result):
    """The report for a person, ready for benches/README.md."""
    peers = ", ".join(result["packages"].values()) or "none"
    load = " → ".join(f"{result[key][0]:.1f}" for key in ("load_before", "load_after"))
    lines = [
        f"Peers: {peers}. {result['rounds']} rounds, {result['cpus']} cores, load average {load}."
        + (" QUICK: too few requests for figures." if result["quick"] else ""),
        "CPU time in µs a request; streams: per 1,000 chunks. Latency of semgate from a closed-loop client.",
        "",
    ]
    if not result["peers"]:
        lines[2:2] = ["Without --peers there is no ratio and no goal is judged; `direct` is the fake provider's own "
                      "CPU time when it is asked directly."]
    rows = [["what", "goal", "ratio (min to max)", "semgate, µs (min to max)", "best peer, µs", "direct, µs",
             "p50, ms", "p99, ms", "goal met"]]
    for row in result["rows"]:
        ratio, us = row["ratio"], row["us"]
        measured = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else "—"
        if "extra_ms" in row:
            extra = row["extra_ms"]
            measured = (f"embedding {row['embed_p50_ms']:.1f} ms + {extra['median']:.2f} ms "
                        f"({extra['min']:.2f} to {extra['max']:.2f})")
        best = f"{row['best_peer_us']:.0f} ({row['best_peer']})" if row["best_peer"] else "—"
        rows.append([
            row["name"] + (" (repeated)" if row["name"] in result["repeated"] else ""), row["goal"] or "—", measured,
            f"{us['median']:.0f} ({us['min']:.0f} to {us['max']:.0f})", best,
            f"{row['direct_us']:.0f}" if row["direct_us"] else "—", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}",
            said(row["met"]),
        ])
    foot = [["what", "goal", "peers", "measured", "goal met"]]
    foot += [[name, goal, peers or "—", measured, said(met)] for name, goal, measured, peers, met in footprint(result)]
    lines += markdown(rows) + [""] + markdown(foot)
    lines += [""] + markdown([["what", "target", "CPU, µs", "p50, ms", "p99, ms"]] + [
        [row["name"], name, f"{other['us']:.0f}", f"{other['p50_ms']:.2f}", f"{other['p99_ms']:.2f}"]
        for row in result["rows"] for name, other in row["others"].items()])
    return "\n".join(lines)


def said(met):
    return {True: "yes", False: "NO", None: "—"}[met]


def markdown(rows):
    """A table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return lines
