#!/usr/bin/env python3
"""Make tests/fixtures/embed/reference.json: sentences with vectors by another implementation.

    pip install numpy tokenizers
    scripts/make-reference-vectors.py [MODEL_DIR]        (default: models/all-MiniLM-L6-v2)

The encoder below is written from the BERT paper in numpy, in double precision, one sentence at a
time, and reads the safetensors file itself: it shares no arithmetic with the Rust embedder that is
tested against it. Only the tokeniser is the same library, in Python. With `--torch` (pip install
sentence-transformers) the vectors are also compared with those of sentence-transformers; done with
version 6.2.0 on torch 2.15.0: lowest cosine of all sentences 1.0000000.

Sentences stand in tests/fixtures/embed/texts.json. A vector is stored as whole millionths.
"""

import json
import math
import pathlib
import struct
import sys

import numpy
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures" / "embed"
WINDOW = 256
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12

erf = numpy.vectorize(math.erf, otypes=[numpy.float64])


def read_safetensors(path):
    """Every tensor of the file in double precision, by name."""
    data = path.read_bytes()
    (header_size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_size])
    start = 8 + header_size
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        flat = numpy.frombuffer(data[start + begin : start + end], dtype="<f4")
        tensors[name] = flat.reshape(entry["shape"]).astype(numpy.float64)
    return tensors


def layer_norm(x, weights, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / numpy.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def attention(x, weights, name):
    def by_head(part):
        projected = linear(x, weights, f"{name}.self.{part}")
        return projected.reshape(len(x), HEADS, WIDTH // HEADS).transpose(1, 0, 2)

    query, key, value = by_head("query"), by_head("key"), by_head("value")
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)
    shares = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = (shares @ value).transpose(1, 0, 2).reshape(len(x), WIDTH)
    return linear(mixed, weights, f"{name}.output.dense")


def embed(ids, weights):
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = layer_norm(x, weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        attended = attention(x, weights, f"{name}.attention")
        x = layer_norm(x + attended, weights, f"{name}.attention.output.LayerNorm")
        inner = linear(x, weights, f"{name}.intermediate.dense")
        inner = inner * 0.5 * (1.0 + erf(inner / math.sqrt(2.0)))
        outer = linear(inner, weights, f"{name}.output.dense")
        x = layer_norm(x + outer, weights, f"{name}.output.LayerNorm")
    mean = x.mean(axis=0)
    return mean / numpy.linalg.norm(mean)


def compare_with_torch(folder, cases):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = WINDOW
    theirs = model.encode([case["text"] for case in cases], normalize_embeddings=True)
    ours = numpy.array([case["millionths"] for case in cases]) / 1e6
    cosines = (theirs * ours).sum(axis=1) / numpy.linalg.norm(ours, axis=1)
    print(f"lowest cosine with sentence-transformers: {cosines.min():.7f}")


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    folder = pathlib.Path(arguments[0]) if arguments else ROOT / "models" / "all-MiniLM-L6-v2"
    weights = read_safetensors(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cases = []
    for text in json.loads((FIXTURES / "texts.json").read_text(encoding="utf-8")):
        ids = tokenizer.encode(text).ids
        truncated = len(ids) > WINDOW
        if truncated:
            ids = ids[: WINDOW - 1] + ids[-1:]
        vector = embed(ids, weights)
        cases.append(
            {
                "text": text,
                "tokens": len(ids),
                "truncated": truncated,
                "millionths": [round(value * 1e6) for value in vector.tolist()],
            }
        )
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    (FIXTURES / "reference.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(cases)} sentences, {min(c['tokens'] for c in cases)} to {WINDOW} tokens")
    if "--torch" in sys.argv:
        compare_with_torch(folder, cases)


if __name__ == "__main__":
    main()
