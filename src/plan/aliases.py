# SPDX-License-Identifier: Apache-2.0
"""Makes aliases.c of aliases.json: aliases.py JSON C

The table is compiled in as the text it is, so that the one reader of such tables reads it too.
"""

import json
import pathlib
import sys


def main(table, out):
    text = pathlib.Path(table).read_text(encoding="ascii")
    pairs = json.loads(text, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    if names != sorted(set(names)):
        sys.exit("aliases.py: the names must be sorted, and each there once")
    lines = "\n".join(f"  {json.dumps(line)}" for line in text.splitlines(keepends=True))
    pathlib.Path(out).write_text(
        f'/* Made by aliases.py. */\n#include "alias.h"\n\nconst char alias_builtin[] =\n{lines};\n', encoding="ascii")


main(*sys.argv[1:])
