// SPDX-License-Identifier: Apache-2.0
//
// How fast hoist fetches, beside the downloaders of the distribution and beside what the machine can do at
// all: one large object and many small ones, from nginx and from Ceph, over loopback and through a slow
// network. One Markdown table of medians, then what became of the project's bars.
//
//   node tests/bench/fetch.mjs [--build DIR] [--runs N] [--size BYTES[K|M|G]] [--files N] [--only TEXT]
//                              [--against NAMES] [--all] [--json FILE] [--svg FILE]
//
// --runs (default 5) of every contestant, who take turns; --size (256M) of the large object, --files (200)
// of 64 KiB each. A peer whose first run took over four times hoist's (and three seconds) is not asked
// again, and marked so, unless --all. --only keeps the scenarios whose name contains TEXT, --against the
// peers that are named, separated by commas. --build (build)
// has the two programs of tests/bench/fetch; hoist is HOIST_BIN (build/apps/cli/hoist). --json saves the
// figures, --svg a plot.
//
// It runs in a network namespace of its own, as root or in a user namespace. Where that is not allowed, the
// slow network is left out. Before each run, not timed: the output of the last is removed, the file system
// is synced, and memory is touched, so that nobody pays for what another left. The first run of each is
// compared with the original, byte by byte.

import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hoistBin, projectRoot } from '../lib/harness.mjs';
import { contestants, limits } from './fetch/contestants.mjs';
import { plot } from './fetch/plot.mjs';
import { startWorld } from './fetch/world.mjs';

const DELAY_MS = 10; // of one way: a round trip of 20
const RATE = 100; // MB/s, per connection
const RAMP_S = 0.25; // connecting and slow start: about twelve round trips to 2 MB in flight
const RSS_BAR_KIB = 32 << 10;
const HOPELESS = 4; // times hoist's first run
const HOPELESS_S = 3; // what took less than that is not worth leaving out
const SIZE_MAX = 3 * 1024 ** 3; // Ceph has 4 GiB of memory to keep objects in
const TIMEOUT_MS = 300_000;

const { values: options } = parseArgs({ options: {
  build: { type: 'string', default: 'build' }, runs: { type: 'string', default: '5' }, size: { type: 'string', default: '256M' },
  files: { type: 'string', default: '200' }, all: { type: 'boolean', default: false }, only: { type: 'string', default: '' }, against: { type: 'string' }, json: { type: 'string' }, svg: { type: 'string' },
} });
const build = resolve(projectRoot, options.build);

function parseSize(text) {
  const [, number, unit] = /^(\d+)([KMG]?)$/.exec(text) ?? [];
  if (!number) throw new Error(`--size ${text}: expected a number of bytes, or one with K, M or G`);
  return Number(number) * 1024 ** ' KMG'.indexOf(unit || ' ');
}
const size = parseSize(options.size);
const files = Number(options.files);
const runs = Number(options.runs);
if (!(size >= 1 << 20 && size <= SIZE_MAX && files >= 2 && runs >= 1)) throw new Error('expected --size of 1M to 3G, --files of 2 or more, --runs of 1 or more');
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1)); // the servers end on exit

/* ---- a network namespace of its own ------------------------------------------------------------ */

const IN_NAMESPACE = 'HOIST_BENCH_NAMESPACE';

/** Starts this program again in a new network namespace; does not come back where that worked. */
function enterNamespace() {
  if (process.env[IN_NAMESPACE]) return true;
  const how = process.getuid() === 0 ? ['--net'] : ['--map-root-user', '--net'];
  try { accessSync('/dev/net/tun', constants.R_OK | constants.W_OK); } catch { return false; }
  if (spawnSync('unshare', [...how, 'true'], { stdio: 'ignore' }).status !== 0) return false;
  const again = spawnSync('unshare', [...how, process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit', env: { ...process.env, [IN_NAMESPACE]: '1' } });
  process.exit(again.status ?? 1);
}

async function startSlowLink() {
  const child = spawn(join(build, 'tests/bench/slow_link'), [String(DELAY_MS), String(RATE)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((ok, fail) => {
    child.stdout.once('data', ok);
    child.once('exit', () => fail(new Error('slow_link ended')));
  });
  return child;
}

/* ---- one run ----------------------------------------------------------------------------------- */

const name = { http: 'HTTP', s3: 'S3' };
const mib = (bytes) => (bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`);

const runProgram = (file, args, settings) => new Promise((done) => { // not spawnSync: the stand-in API lives in this process
  execFile(file, args, { encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: 1 << 26, ...settings }, (error, stdout, stderr) => {
    done({ status: error ? error.code ?? error.signal : 0, stdout, stderr });
  });
});

async function measure(contestant, scenario, root, { linkPid, compare }) {
  const out = join(root, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const run = { ...scenario, out };
  const command = contestant.command(run);
  execFileSync('sync', ['-f', root]);
  const warm = contestant.limit && contestant.limit !== 'write' ? 0 : Math.ceil(run.load.bytes * (1 + (contestant.warmth ?? 0.25)) / (1 << 20));
  const result = await runProgram(join(build, 'tests/bench/measure'), ['--warm', String(warm), ...(run.slow ? ['--namespace', String(linkPid)] : []), ...command], {
    env: { PATH: '/usr/bin:/bin', HOME: join(root, 'home'), LANG: 'C.UTF-8', ...contestant.env?.(run) },
  });
  const figures = result.status === 0 ? JSON.parse(result.stdout) : { status: result.status };
  if (figures.status !== 0) throw new Error(`exit status ${figures.status}: ${result.stderr.trim().slice(-500)}`);
  if (compare && !contestant.limit) {
    for (const file of run.load.names) {
      const got = contestant.path?.(run, file) ?? join(out, file);
      if (spawnSync('cmp', ['-s', join(run.load.dir, file), got]).status !== 0) throw new Error(`its ${file} is not the original`);
    }
  }
  return figures;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const against = options.against?.split(',');
const isAsked = ({ name: who, limit }) => !against || limit || who === 'hoist' || against.includes(who);

/** All contestants of a scenario in turns, another one first in each round. → name → {wall, cpu, rssKib, …} */
async function race(scenario, root, linkPid) {
  process.stderr.write(`fetch: ${scenario.title}\n`);
  let racing = [...limits, ...contestants].filter((one) => isAsked(one) && !one.missing?.() && (one.protocols ?? [scenario.protocol]).includes(scenario.protocol));
  const seen = Object.fromEntries(racing.map((one) => [one.name, []]));
  const failed = {};
  for (let round = 0; round < runs; round++) {
    const from = round % racing.length;
    for (const one of [...racing.slice(from), ...racing.slice(0, from)]) {
      try {
        seen[one.name].push(await measure(one, scenario, root, { linkPid, compare: round === 0 }));
      } catch (error) {
        if (one.name === 'hoist') throw new Error(`hoist, ${scenario.title}: ${error.message}`);
        failed[one.name] = error.message;
        racing = racing.filter((other) => other !== one);
      }
    }
    if (round > 0 || options.all) continue;
    const hopeless = racing.filter((one) => !one.limit && seen[one.name][0].wall > Math.max(HOPELESS_S, HOPELESS * seen.hoist[0].wall));
    racing = racing.filter((one) => !hopeless.includes(one));
  }
  const results = Object.fromEntries(Object.entries(seen).filter(([who]) => !failed[who]).map(([who, figures]) => {
    const of = (key) => figures.map((one) => one[key]);
    return [who, { runs: figures.length, wall: median(of('wall')), least: Math.min(...of('wall')), most: Math.max(...of('wall')), cpu: median(of('cpu')), rssKib: median(of('rssKib')) }];
  }));
  return { ...scenario, results, failed };
}

/* ---- the table --------------------------------------------------------------------------------- */

const limitNames = limits.map((limit) => limit.name);
const slowestLimit = ({ results }) => Math.max(...limitNames.map((who) => results[who]?.wall ?? 0));
const number = (value) => (value < 0.995 ? value.toFixed(2) : value < 9.95 ? value.toFixed(1) : value.toFixed(0));
const secondsText = (value) => (value < 9.995 ? value.toFixed(2) : value.toFixed(1));

function cell(race, who) {
  if (race?.failed[who]) return 'failed';
  const figures = race?.results[who];
  if (!figures) return '–';
  const ratio = who === 'hoist' ? '' : ` · **${number(figures.wall / race.results.hoist.wall)}×**`;
  return `${secondsText(figures.wall)}${figures.runs < runs ? '¹' : ''}${ratio} · ${number(figures.wall / slowestLimit(race))} · ${secondsText(figures.cpu)} · ${number(figures.rssKib / 1024)}`;
}

function versionOf({ version }) {
  if (!version) return '';
  const result = spawnSync(version[0], version.slice(1), { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
  return ` ${/\d+(\.\d+)+/.exec(`${result.stdout}${result.stderr}`)?.[0] ?? '?'}`;
}

function printTable(races) {
  const distribution = readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="([^"]+)"/m)?.[1] ?? process.platform;
  console.log(`Medians of ${runs} runs each (¹ of one, which took over ${HOPELESS} times hoist's): wall seconds · **times hoist's** · times the slowest limit there · CPU seconds · peak MiB of the largest process. ${distribution}, ${cpus().length} × ${cpus()[0].model.trim()}.`);
  const columns = [...new Set(races.map(({ where }) => where))];
  console.log(`\n| | ${columns.join(' | ')} |\n|---|${columns.map(() => '---|').join('')}`);
  for (const what of new Set(races.map((one) => one.what))) {
    const cells = (who) => columns.map((where) => cell(races.find((one) => one.what === what && one.where === where), who));
    console.log(`| **${what}** |${' |'.repeat(columns.length)}`);
    for (const { name: who } of [...contestants, ...limits]) {
      const row = cells(who);
      if (row.some((text) => text !== '–')) console.log(`| ${who} | ${row.join(' | ')} |`);
    }
  }
  console.log();
  for (const one of [...contestants, ...limits]) {
    if (one.missing?.()) console.log(`- ${one.name}: not installed; \`tools/setup bench\` installs it.`);
    else console.log(`- ${one.name}${versionOf(one)}: ${one.does}.`);
  }
  for (const one of races) for (const [who, why] of Object.entries(one.failed)) console.log(`- ${who} failed, ${one.title}: ${why}`);
}

/* ---- the bars ---------------------------------------------------------------------------------- */

/** → [whether it holds, what it is about, what was measured] for each bar of a race. */
function bars(race, connections) {
  const { results, title, protocol, slow, load } = race;
  const hoist = results.hoist;
  const limit = slowestLimit(race);
  const peers = Object.entries(results).filter(([who]) => who !== 'hoist' && !limitNames.includes(who)).sort(([, a], [, b]) => a.wall - b.wall);
  const [fastest, best] = peers[0] ?? ['nobody', { wall: Infinity }];
  const one = load.names.length === 1;
  const found = [];
  const bar = (holds, what, measured) => found.push([holds, `${title}: ${what}`, measured]);
  if (protocol === 's3' || (slow && !one)) bar(hoist.wall <= best.wall, 'no peer is faster', `${secondsText(hoist.wall)} s, ${fastest} ${secondsText(best.wall)} s`);
  if (one && !slow) {
    const cpu = results['limit: raw transfer']?.cpu + results['limit: SHA-256']?.cpu;
    bar(hoist.wall <= 1.15 * limit, 'wall ≤ 1.15 × the slowest limit', number(hoist.wall / limit));
    if (cpu) bar(hoist.cpu <= 1.2 * cpu, 'CPU ≤ 1.2 × (raw transfer + SHA-256)', number(hoist.cpu / cpu));
  }
  if (one && slow) {
    const least = load.bytes / (connections * RATE * 1e6);
    bar(hoist.wall <= 1.1 * least + RAMP_S, `wall ≤ 1.1 × size ÷ (${connections} connections × ${RATE} MB/s) + ${RAMP_S} s`, `${secondsText(hoist.wall)} s, ${secondsText(1.1 * least + RAMP_S)} s allowed`);
  }
  bar(hoist.rssKib <= RSS_BAR_KIB, 'peak memory ≤ 32 MiB', `${number(hoist.rssKib / 1024)} MiB`);
  return found;
}

function printBars(races) {
  const setting = spawnSync(hoistBin, ['config'], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', HOME: tmpdir() } });
  const connections = Number(/^\s*connections\s+(\d+)/m.exec(setting.stdout)?.[1] ?? 8);
  const all = races.flatMap((one) => bars(one, connections));
  const missed = all.filter(([holds]) => !holds);
  console.log(`\nBars: ${all.length - missed.length} of ${all.length} hold.${missed.length ? ' Missed:\n' : ''}`);
  for (const [, what, measured] of missed) console.log(`- ${what}: ${measured}`);
}

/* ---- all of it --------------------------------------------------------------------------------- */

const separate = enterNamespace();
const root = mkdtempSync(join(tmpdir(), 'hoist-bench-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, 'home'));
const link = separate ? await startSlowLink() : null;
const world = await startWorld(root, { size, files, slowLink: link !== null });
try {
  const races = [];
  for (const load of Object.values(world.loads)) {
    const what = load.names.length === 1 ? mib(size) : `${files} × 64 KiB`;
    for (const network of world.networks) {
      for (const protocol of ['http', 's3']) {
        if (!network[protocol]) continue;
        const where = `${name[protocol]}, ${network.slow ? `${2 * DELAY_MS} ms, ${RATE} MB/s a connection` : 'loopback'}`;
        const scenario = { load, what, where, title: `${what}, ${where}`, protocol, slow: network.slow, from: network[protocol] };
        if (scenario.title.includes(options.only)) races.push(await race(scenario, root, link?.pid));
      }
    }
  }
  if (races.length === 0) throw new Error('nothing to measure: nginx and Ceph are not installed (tools/setup bench), or --only names no scenario');
  printTable(races);
  if (!link) console.log('- The slow network needs a network namespace and /dev/net/tun, which this machine does not allow: not measured.');
  if (!world.networks[0].http) console.log('- HTTP: nginx is not installed; `tools/setup bench` installs it.');
  if (!world.networks[0].s3) console.log('- S3: Ceph is not installed; `tools/setup check` installs it.');
  printBars(races);
  const figures = races.map(({ title, what, where, results, failed }) => ({ title, what, where, results, failed }));
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ runs, races: figures }, null, 1)}\n`);
  if (options.svg) writeFileSync(options.svg, plot(figures, limitNames));
} finally {
  await world.close();
  link?.kill();
}
