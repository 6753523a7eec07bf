"""LiteLLM's own routing cases as lines for `semgate router eval --cases`. Run by scripts/eval-routing.sh with the
Python of an environment that has LiteLLM.

Its four levels are three tiers here: COMPLEX and REASONING both ask for the strongest. What LiteLLM accepts beside
the expected level is accepted too."""

import json
import sys

from litellm.router_strategy.complexity_router.evals.eval_complexity_router import EVAL_CASES

TIERS = {"SIMPLE": "small", "MEDIUM": "mid", "COMPLEX": "frontier", "REASONING": "frontier"}


def tiers(case):
    levels = [case.expected_tier, *(case.acceptable_tiers or [])]
    return sorted({TIERS[level.value] for level in levels})


for case in EVAL_CASES:
    row = {"prompt": case.prompt, "system": case.system_prompt, "tiers": tiers(case)}
    sys.stdout.write(json.dumps(row) + "\n")
