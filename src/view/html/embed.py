# SPDX-License-Identifier: Apache-2.0
"""Makes page.c of page.html, page.css and page.js: embed.py HTML CSS JS C

The page is cut in two where the data goes. Its Content-Security-Policy names the digests of exactly
this style and this script, so the browser runs nothing else, whatever the data is.
"""

import base64
import hashlib
import pathlib
import sys


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def literal(text):
    lines = []
    for line in text.splitlines(keepends=True):
        escaped = "".join(
            {"\\": "\\\\", '"': '\\"', "\n": "\\n", "?": "\\?"}.get(c, c)
            if ord(c) < 128 else "".join(f"\\{b:03o}" for b in c.encode())
            for c in line)
        lines.append(f'  "{escaped}"')
    return "\n".join(lines)


def main(html, css, js, out):
    page, style, script = (pathlib.Path(p).read_text(encoding="utf-8") for p in (html, css, js))
    for part in (style, script):
        if "</" in part or "<!--" in part:
            sys.exit("embed.py: style and script must hold no '</' and no '<!--'")
    page = page.replace("{{style-hash}}", digest(style)).replace("{{script-hash}}", digest(script))
    head, tail = page.replace("{{style}}", style).split("{{data}}")
    tail = tail.replace("{{script}}", script)
    pathlib.Path(out).write_text(
        '/* Made by embed.py. */\n#include "page.h"\n\n'
        f"const char page_head[] =\n{literal(head)};\n\nconst char page_tail[] =\n{literal(tail)};\n",
        encoding="utf-8")


main(*sys.argv[1:])
