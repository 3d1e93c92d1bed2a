#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares how hoist and botocore read AWS configuration files, over files made at random.

    ninja -C BUILD tests/bench/aws_values && python3 tests/bench/aws_config/compare.py BUILD [FILES [SEED]]

Where botocore refuses a file, hoist may do what it likes; where it does not, both find the same. Not part
of the suite, which needs no botocore.
"""
import os
import random
import subprocess
import sys
import tempfile

import botocore.session

PROFILES = ['default', 'dev', 'a b', 'x']
KEYS = ['region', 'role_arn', 'aws_access_key_id', 'services', 's3', 'endpoint_url']
SUBS = ['addressing_style', 'endpoint_url']
VALUES = ['eu-west-1', 'a = b', 'x # y', '"q"', 'a:b', '', 'mine', '[z]', "it's", 'ü']


def section(r, credentials):
    name = r.choice(PROFILES)
    if credentials:
        return f'[{name}]'
    quoted = name if ' ' not in name and r.random() < 0.7 else r.choice(['"%s"', "'%s'"]) % name
    return r.choice([f'[profile {quoted}]', f'[profile  {quoted}]', '[default]', '[services mine]', '[plugins]', f'[{name}]'])


def text(r, credentials):
    lines, seen = [], set()
    for _ in range(r.randint(0, 5)):
        head = section(r, credentials)
        name = ' '.join(word.strip('"\'') for word in head.strip('[]').split() if word != 'profile')
        if name in seen:  # botocore refuses a section that comes twice, or takes the last one alone
            continue
        seen.add(name)
        lines.append(head + r.choice(['', '', ' ', ' more']))
        for key in r.sample(KEYS, r.randint(0, 4)):
            indent = r.choice(['', '', '', ' '])
            written = r.choice([key, key, key.upper()])
            if key == 's3' or head == '[services mine]' and key == 'endpoint_url':
                lines.append(f'{indent}{"s3" if key == "s3" else "sts"} =')
                for sub in r.sample(SUBS, r.randint(0, 2)):
                    lines.append(f'{indent}  {sub}{r.choice(["=", " = "])}{r.choice(["path", "http://h", "a=b"])}')
                    if r.random() < 0.2:
                        lines.append(r.choice(['', '   # words', '; words']))
                continue
            lines.append(f'{indent}{written}{r.choice(["=", " = ", ": "])}{r.choice(VALUES)}')
            if r.random() < 0.2:
                lines.append(r.choice(['', '# words', '  ; words']))
    return r.choice(['\n', '\n', '\r\n']).join(lines) + r.choice(['', '\n'])


def expected(config, profile, question):
    found = config['profiles'].get(profile)
    if not question:
        return None if found is None else 'there'
    if found is None:
        return None
    if question[0].startswith('@'):
        name = found.get('services')
        if isinstance(name, str) and '\n' in name:
            return name
        of_service = config['services'].get(name, {}).get(question[0][1:]) if isinstance(name, str) else None
        value = of_service.get('endpoint_url') if isinstance(of_service, dict) else None
        value = value or found.get('endpoint_url')
    else:
        value = found.get(question[0])
        if len(question) == 2:
            value = value.get(question[1]) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    r = random.Random(seed)
    compared = refused = 0
    questions = [[]] + [[key] for key in KEYS] + [['s3', sub] for sub in SUBS] + [['@s3'], ['@sts']]
    with tempfile.TemporaryDirectory() as directory:
        paths = [os.path.join(directory, name) for name in ('config', 'credentials')]
        os.environ['AWS_CONFIG_FILE'], os.environ['AWS_SHARED_CREDENTIALS_FILE'] = paths
        for n in range(count):
            for path, credentials in zip(paths, (False, True)):
                with open(path, 'w', newline='', encoding='utf-8') as file:
                    file.write(text(r, credentials))
            try:
                config = botocore.session.Session().full_config
            except Exception:  # botocore refuses it, one way or another
                refused += 1
                continue
            asked = '\n'.join('\t'.join([p] + q) for p in PROFILES for q in questions)
            answers = subprocess.run([f'{build}/tests/bench/aws_values', *paths], input=asked + '\n', text=True, capture_output=True, check=True).stdout.split('\n')
            for line, answer in zip(asked.split('\n'), answers):
                profile, *question = line.split('\t')
                value = expected(config, profile, question)
                if value and '\n' in value:  # to hoist a value is one line
                    continue
                if answer != ('-' if value is None else f'={value}'):
                    print(f'seed {seed}, file {n}: {line!r}: hoist {answer!r}, botocore {value!r}')
                    for path in paths:
                        print(f'--- {path}\n{open(path, newline="").read()}')
                    return 1
                compared += 1
    print(f'{count} pairs of files (seed {seed}): {compared} values alike, {refused} pairs refused by botocore')
    return 0 if compared else 1


sys.exit(main())
