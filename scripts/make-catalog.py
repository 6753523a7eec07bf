#!/usr/bin/env python3
"""Makes config/catalog.json from a list of models and prices.

The list is `catalog/models.jsonl` below the folder that $SEMGATE_DATA names: facts of the price map
of LiteLLM (MIT, see config/catalog.NOTICE.md), one JSON object a line. Kept are chat models of
well-known providers that have a price and are still served. A price of zero is taken as unknown.

    SEMGATE_DATA=../data scripts/make-catalog.py [DATE]

DATE (YYYY-MM-DD, default today) leaves out what ends before it.
"""

import datetime
import json
import os
import pathlib
import re
import sys

# The catalog's name of a provider: the hosts of its API, and the prefixes that the source puts
# before an id and the API does not know.
PROVIDERS = {
    "openai": (["api.openai.com", "eu.api.openai.com", "us.api.openai.com"], []),
    "anthropic": (["api.anthropic.com"], []),
    "gemini": (["generativelanguage.googleapis.com"], ["gemini/"]),
    "mistral": (["api.mistral.ai"], ["mistral/"]),
    "groq": (["api.groq.com"], ["groq/"]),
    "deepseek": (["api.deepseek.com"], ["deepseek/"]),
    "xai": (["api.x.ai"], ["xai/"]),
    "together": (["api.together.xyz", "api.together.ai"], ["together_ai/"]),
    "fireworks": (["api.fireworks.ai"], ["fireworks_ai/"]),
    "cohere": (["api.cohere.com", "api.cohere.ai"], []),
    "perplexity": (["api.perplexity.ai"], ["perplexity/"]),
    "cerebras": (["api.cerebras.ai"], ["cerebras/"]),
    "moonshot": (["api.moonshot.ai", "api.moonshot.cn"], ["moonshot/"]),
    "openrouter": (["openrouter.ai"], ["openrouter/"]),
}

# Price classes, prompts for fine-tuned models, guards and other entries that are no chat model.
NO_MODEL = re.compile(r"^ft:|^together-ai-|^fireworks-ai-|prompt-guard|lyria|-tts$")

# Answers of these always draw on the live web.
LIVE = re.compile(r"search-(preview|api)|^sonar|-online$|deep-research")

# A price above this per million tokens (USD 1,000) is a slip of the unit.
HIGHEST = 1_000_000_000


def facts(model):
    """What the catalog keeps of a model, or None."""
    price = model.get("price", {})
    if not 0 < price.get("input", 0) < HIGHEST or not 0 < price.get("output", 0) < HIGHEST:
        return None
    kept = {"input": price["input"], "output": price["output"]}
    if price.get("cached_input"):
        kept["cached_input"] = price["cached_input"]
    if model.get("context_window"):
        kept["context"] = model["context_window"]
    if model.get("max_output_tokens"):
        kept["max_output"] = model["max_output_tokens"]
    for capability in ("vision", "tools", "json_schema"):
        if capability in model.get("caps", []):
            kept[capability] = True
        elif capability in model.get("lacks", []):
            kept[capability] = False
    return kept


def bare(model_id, prefixes):
    """The id as the provider's API knows it."""
    for prefix in prefixes:
        if model_id.startswith(prefix):
            return model_id[len(prefix):]
    return model_id


def main():
    data = os.environ.get("SEMGATE_DATA")
    if not data:
        sys.exit("make-catalog: SEMGATE_DATA names no folder; set it to the one with catalog/")
    day = sys.argv[1] if len(sys.argv) > 1 else datetime.date.today().isoformat()
    providers = {}
    for line in pathlib.Path(data, "catalog", "models.jsonl").read_text().splitlines():
        model = json.loads(line)
        provider = model["provider"]
        if provider not in PROVIDERS or model["mode"] != "chat":
            continue
        if model.get("deprecation_date", "9999") < day:
            continue
        hosts, prefixes = PROVIDERS[provider]
        name = bare(model["id"], prefixes)
        kept = facts(model)
        if kept is None or NO_MODEL.search(name):
            continue
        if LIVE.search(name):
            kept["web_search"] = True
        listed = providers.setdefault(provider, {"hosts": hosts, "models": {}})
        # An id that the source has with its prefix as well: the prefixed entry is the API's own.
        if name not in listed["models"] or name != model["id"]:
            listed["models"][name] = kept
    target = pathlib.Path(__file__).parent.parent / "config" / "catalog.json"
    target.write_text(render(providers))
    count = sum(len(listed["models"]) for listed in providers.values())
    print(f"{target}: {count} models of {len(providers)} providers, {target.stat().st_size} bytes")


def render(providers):
    """One model a line, so that a change of prices reads well in a diff."""
    blocks = []
    for provider, listed in sorted(providers.items()):
        models = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(kept, separators=(',', ':'))}"
            for name, kept in sorted(listed["models"].items())
        )
        hosts = json.dumps(listed["hosts"])
        blocks.append(f'  {json.dumps(provider)}: {{"hosts": {hosts}, "models": {{\n{models}\n  }}}}')
    return '{"providers": {\n' + ",\n".join(blocks) + "\n}}\n"


if __name__ == "__main__":
    main()
