# SPDX-License-Identifier: Apache-2.0
"""The rule by which a model id becomes a path in the cache, written down a second time: model_paths.py SEED COUNT

Prints COUNT lines "id<TAB>path", for ids made to be at the edges of the rule. It shares nothing with
src/plan/model_id.c: regular expressions in place of scans, and BLAKE2s of Python's hashlib.
"""

import hashlib
import random
import re
import sys

RESERVED = {"_file_locks", "auto-resolution-cache", "hf_home", "huggingface", "lora-bases", "models-cache",
            "owl-v2-serialized-data", "shared-blobs", "usage.db", "workflow"}
DEVICES = {"aux", "con", "nul", "prn"} | {f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)}


def is_plain(segment):
    return (re.fullmatch(r"[a-z0-9._ -]+", segment) is not None and segment[-1] not in " ."
            and segment.split(".")[0] not in DEVICES and len(segment.encode()) <= 255)


def path_of(model_id):
    segments = model_id.split("/")
    first = segments[0]
    if (all(is_plain(segment) for segment in segments) and not first.startswith("~") and first not in RESERVED
            and not re.fullmatch(r"[A-Za-z0-9_-]{1,48}-[0-9a-f]{8}", first) and len(model_id.encode()) < 4096):
        return model_id
    slug = re.sub(r"[_-]{2,}", "-", re.sub(r"[^A-Za-z0-9_-]+", "-", model_id))[:48] or "special-char-only-model-id"
    return f"~{slug}-{hashlib.blake2s(model_id.encode(), digest_size=16).hexdigest()}"


PIECES = sorted(RESERVED) + sorted(DEVICES) + [
    "coco", "Coins", "1", "17", "a_b", "a__b", "_-_", "-", "_", "~", "é", "日本", " ", ".x", "x.", "x ", "con.txt",
    "nul.a.b", "com0", "com10", "lpt9", "aux-1", "deadbeef", "-deadbeef", "0123abcd", "ABCDEF01", "b" * 40, "b" * 255,
    "b" * 256, "@", "a b", "v1.2", "%2F", "+", "hoist", "usage.db2", "MIXED-case"]


def make_id(rng):
    segments = []
    for _ in range(rng.choice((1, 2, 2, 2, 3, 4))):
        joint = rng.choice(("", "", "-", "_", ".", " "))
        segments.append(joint.join(rng.choice(PIECES) for _ in range(rng.choice((1, 1, 2, 3)))))
    return "/".join(segments)


def is_id(model_id):
    """What hoist takes for an id at all: the harness refuses the others before they get here."""
    segments = model_id.split("/")
    return len(model_id.encode()) <= 1024 and all(s not in ("", ".", "..") and not s.startswith(".hoist") for s in segments)


def main(seed, count):
    rng = random.Random(int(seed))
    assert path_of("Coins/1") == "~Coins-1-4feee23e30fccb2404a13288e65a2cf1", "the published vector"
    made = 0
    while made < int(count):
        model_id = make_id(rng)
        if is_id(model_id):
            print(f"{model_id}\t{path_of(model_id)}")
            made += 1


main(*sys.argv[1:])
