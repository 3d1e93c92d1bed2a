// SPDX-License-Identifier: Apache-2.0
//
// Who takes part in the fetch benchmark: a name, and the command that gets one load through one protocol
// into a directory. Every one is told to work as parallel as its users would have it; peers that have no
// S3 get presigned URLs.

import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hoistBin } from '../../lib/harness.mjs';

const RANGES = 8; // of one large file
const FILES = 16; // small files at once
const here = dirname(fileURLToPath(import.meta.url));
const python = '/usr/bin/python3'; // the distribution's: its packages are what is measured
const installed = (program) => existsSync(join('/usr/bin', program));
const module = (name) => existsSync(join('/usr/lib/python3/dist-packages', name));

/** A file of the contestant's own, beside the output. */
function aside({ out }, name, lines) {
  const path = join(dirname(out), name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const quote = (text) => `'${text}'`;

/** curl as `count` ranges at once; `to(i)` is where one goes. */
function curlRanges({ load, from }, to) {
  const step = Math.ceil(load.bytes / RANGES);
  const each = Array.from({ length: RANGES }, (_, i) => [
    '-sf', '-r', `${i * step}-${Math.min(load.bytes, (i + 1) * step) - 1}`, '-o', to(i), from.url(load, load.names[0])]);
  return ['curl', '-Z', '--parallel-immediate', '--parallel-max', String(RANGES), ...each.flatMap((args, i) => (i === 0 ? args : ['--next', ...args]))];
}

/** curl with every file of the load in one process. */
const curlFiles = (run, to, options) => ['curl', ...options, '-sf', '-K', aside(run, 'curl.conf',
  run.load.names.flatMap((name) => [`url = "${run.from.url(run.load, name)}"`, `output = "${to(name)}"`]))];
const parallel = ['-Z', '--parallel-immediate', '--parallel-max', String(FILES)];

const single = ({ load }) => load.names.length === 1;
const into = ({ out }) => (name) => join(out, name);
const rcloneOut = ({ out }) => ['--exclude', '*.json', '--transfers', String(FILES), '--checkers', String(FILES),
  '--multi-thread-streams', String(RANGES), '--multi-thread-cutoff', '16M', out];

/** A command gets {load, protocol, from (the protocol's part of the network), out} and is an argument list. */
export const contestants = [
  {
    name: 'hoist',
    version: [hoistBin, '--version'],
    does: 'SHA-256 and fsync of every file included',
    command: ({ load }) => [hoistBin, 'pull', '-q', load.id],
    env: ({ protocol, out, from }) => ({ ...from.env, HOIST_SOURCES: protocol === 'http' ? 'roboflow_api' : 's3', MODEL_CACHE_DIR: out }),
    path: ({ load, out }, name) => join(out, load.id, name),
  },
  {
    name: 'curl',
    version: ['curl', '--version'],
    missing: () => !installed('curl'),
    does: 'one connection',
    command: (run) => curlFiles(run, into(run), []),
  },
  {
    name: 'curl -Z',
    missing: () => !installed('curl'),
    does: `${RANGES} ranges, then joined with cat; ${FILES} small files at once`,
    command: (run) => {
      if (!single(run)) return curlFiles(run, into(run), parallel);
      const part = (i) => join(run.out, `part${i}`);
      const parts = Array.from({ length: RANGES }, (_, i) => quote(part(i))).join(' ');
      return ['sh', '-c', `${curlRanges(run, part).map(quote).join(' ')} && cat ${parts} >${quote(join(run.out, run.load.names[0]))} && rm ${parts}`];
    },
  },
  {
    name: 'aria2c',
    version: ['aria2c', '--version'],
    missing: () => !installed('aria2c'),
    does: `-x${RANGES} -s${RANGES} -k1M, -j${FILES}`,
    command: (run) => ['aria2c', '-q', '--no-conf', `-x${RANGES}`, `-s${RANGES}`, '-k1M', `-j${FILES}`, '--file-allocation=none', '-d', run.out,
      '-i', aside(run, 'aria2.list', run.load.names.flatMap((name) => [run.from.url(run.load, name), ` out=${name}`]))],
  },
  {
    name: 'rclone',
    version: ['rclone', 'version'],
    missing: () => !installed('rclone'),
    does: `${RANGES} streams, ${FILES} transfers`,
    command: (run) => (run.protocol === 'http'
      ? ['rclone', 'copy', ':http:', '--http-url', run.from.url(run.load), ...rcloneOut(run)]
      : ['rclone', 'copy', `:s3:${run.from.bucket}/${run.load.id}`, '--s3-provider', 'Ceph', '--s3-endpoint', run.from.endpoint, '--s3-env-auth', ...rcloneOut(run)]),
    env: ({ from }) => ({ ...from.env, RCLONE_CONFIG: '/dev/null' }),
  },
  {
    name: 'requests',
    version: [python, '-c', 'import requests; print(requests.__version__)'],
    missing: () => !module('requests'),
    does: 'whole bodies in memory, one after the other, as the reference server does',
    protocols: ['http'],
    warmth: 3,
    command: (run) => [python, join(here, 'peers.py'), 'requests', run.out,
      aside(run, 'requests.list', run.load.names.map((name) => `${run.from.url(run.load, name)} ${name}`))],
  },
  {
    name: 'aws s3 cp',
    version: ['/usr/bin/aws', '--version'],
    missing: () => !installed('aws'),
    does: 'its defaults',
    protocols: ['s3'],
    command: (run) => ['/usr/bin/aws', 's3', 'cp', '--quiet', '--recursive', '--endpoint-url', run.from.endpoint, `s3://${run.from.bucket}/${run.load.id}/`, run.out],
    env: ({ from }) => ({ ...from.env, AWS_EC2_METADATA_DISABLED: 'true' }),
  },
  {
    name: 's3cmd',
    version: ['s3cmd', '--version'],
    missing: () => !installed('s3cmd'),
    does: 'one connection; it has no other way',
    protocols: ['s3'],
    command: (run) => {
      const host = run.from.endpoint.replace('http://', '');
      return ['s3cmd', '-q', '--no-progress', '--no-ssl', `--config=${aside(run, 's3cfg', ['[default]'])}`, `--host=${host}`, `--host-bucket=${host}`,
        `--access_key=${run.from.accessKey}`, `--secret_key=${run.from.secret}`, 'get', '--recursive', `s3://${run.from.bucket}/${run.load.id}/`, `${run.out}/`];
    },
  },
  {
    name: 'boto3',
    version: [python, '-c', 'import boto3; print(boto3.__version__)'],
    missing: () => !module('boto3'),
    does: `download_file, its defaults; ${FILES} threads`,
    protocols: ['s3'],
    command: (run) => [python, join(here, 'peers.py'), 'boto3', run.out, run.from.endpoint, run.from.bucket, `${run.load.id}/`],
    env: ({ from }) => ({ ...from.env, AWS_EC2_METADATA_DISABLED: 'true' }),
  },
];

const nowhere = () => '/dev/null';

/** What no downloader can beat: one part of the work alone. Nothing is left to compare. */
export const limits = [
  {
    name: 'limit: raw transfer',
    limit: 'raw',
    does: `curl to /dev/null; through the slow network ${RANGES} ranges; ${FILES} small files at once`,
    missing: () => !installed('curl'),
    command: (run) => (single(run) && run.slow ? curlRanges(run, nowhere) : curlFiles(run, nowhere, single(run) ? [] : parallel)),
  },
  {
    name: 'limit: write + fsync',
    limit: 'write',
    does: 'dd conv=fsync; small files: cp, then sync of each, in eight processes',
    command: (run) => (single(run)
      ? ['dd', 'status=none', 'if=/dev/zero', `of=${join(run.out, 'zero')}`, 'bs=1M', `count=${run.load.bytes}`, 'iflag=count_bytes', 'conv=fsync']
      : ['sh', '-c', `cp ${quote(run.load.dir)}/* ${quote(run.out)} && printf '%s\\0' ${quote(run.out)}/* | xargs -0 -P 8 -n 25 sync`]),
  },
  {
    name: 'limit: SHA-256',
    limit: 'sha256',
    does: 'openssl dgst',
    missing: () => !installed('openssl'),
    command: ({ load }) => ['openssl', 'dgst', '-sha256', ...load.names.map((name) => join(load.dir, name))],
  },
];
