// SPDX-License-Identifier: Apache-2.0
//
// The page of `hoist trace --html` in a real browser: what it shows, that keys and search work, and
// that nothing a span says is taken for markup or script.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { hoistOk, tempDir } from '../lib/harness.mjs';

const dir = tempDir(after);
const START = 1_795_359_276_000_000_000n;
const HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=document.title="owned">\u2028\u2029&amp;';

const nano = (ms) => String(START + BigInt(Math.round(ms * 1e6)));
const attributes = (object) => Object.entries(object).map(([key, stringValue]) => ({ key, value: { stringValue } }));

/** One span: [id, parent (0: none), name, start and end in ms, attributes, error]. */
function line([id, parent, name, from, to, attrs = {}, error]) {
  const span = { traceId: '1'.repeat(32), spanId: String(id).padStart(16, '0'), name,
    startTimeUnixNano: nano(from), endTimeUnixNano: nano(to), attributes: attributes(attrs) };
  if (parent) span.parentSpanId = String(parent).padStart(16, '0');
  if (error) span.status = { code: 2, message: error };
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
}

const load = [
  [1, 0, 'model.load', 0, 400, { 'model.id': 'faces/1' }],
  [2, 1, 'model.artifacts.download', 0, 240],
  [3, 2, 'GET', 0, 120, { 'artifact.filename': 'weights.onnx' }],
  [4, 2, 'GET', 120, 200, { 'artifact.filename': 'classes.txt' }, 'the server said 503'],
  [5, 1, 'model.session.create', 240, 400],
];

async function makePage(name, spans) {
  const trace = join(dir, `${name}.jsonl`), page = join(dir, `${name}.html`);
  writeFileSync(trace, `${spans.map(line).join('\n')}\n`);
  await hoistOk(['trace', '--html', page, trace]);
  return page;
}

/** The document after its scripts have run, as HTML. `drive` is script that the page is made to allow, `before` what runs before its own. */
function open(page, drive, before) {
  let url = page;
  if (drive) {
    const scripts = [drive, before ?? ''];
    const digests = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    url = page.replace('.html', '-driven.html');
    writeFileSync(url, readFileSync(page, 'utf8')
      .replace("script-src '", `script-src ${digests.join(' ')} '`)
      .replace('<body>', () => `<body><script>${scripts[1]}</script>`)
      .replace('</body>', () => `<script>${drive}</script></body>`));
  }
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    `--user-data-dir=${join(dir, 'profile')}`, '--virtual-time-budget=3000', '--dump-dom', pathToFileURL(url).href];
  return new Promise((resolve, reject) => {
    execFile('chromium', args, { timeout: 60_000, maxBuffer: 64 << 20 }, (error, out) => (error ? reject(error) : resolve(out)));
  });
}

const press = (...keys) => keys.map((key) => `document.body.dispatchEvent(new KeyboardEvent('keydown', { key: ${JSON.stringify(key)}, bubbles: true }));`).join('');
const textOf = (html, id) => new RegExp(`<(\\w+)[^>]* id="${id}"[^>]*>(.*?)</\\1>`, 's').exec(html)?.[2] ?? assert.fail(`no #${id}`);

test('the page says what the trace is about', async () => {
  const html = await open(await makePage('plain', load));
  const summary = textOf(html, 'summary');
  for (const part of ['model.load: 400 ms', '5 spans', '5 on the critical path', '1 failed', '2026-11-22']) assert.ok(summary.includes(part), `${part}: ${summary}`);
  assert.match(html, /data-theme="(light|dark)"/);
  assert.match(html, /<div id="height" style="height: \d+px;">/);
});

test('keys choose a span, and the pane shows its attributes', async () => {
  const pane = textOf(await open(await makePage('keys', load), press('Home', 'ArrowDown', 'ArrowDown')), 'pane');
  assert.match(pane, /<h2>GET<\/h2>/);
  assert.match(pane, /<dt>artifact\.filename<\/dt><dd>weights\.onnx<\/dd>/);
  assert.match(pane, /<dt>duration<\/dt><dd>120 ms<\/dd>/);
});

test('search finds attributes and messages, and n goes from one to the next', async () => {
  const page = await makePage('search', load);
  const type = (text) => `const box = document.getElementById('search'); box.value = ${JSON.stringify(text)}; box.dispatchEvent(new Event('input'));`;
  let html = await open(page, type('get') + press('n', 'n'));
  assert.equal(textOf(html, 'found'), '2 spans');
  assert.match(textOf(html, 'pane'), /<p class="message">the server said 503<\/p>/);
  const enter = `box.focus(); box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    document.title = document.activeElement.id; document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'n', bubbles: true }));`;
  html = await open(page, type('get') + enter);
  assert.match(html, /<title>tree<\/title>/);
  assert.match(textOf(html, 'pane'), /<p class="message">the server said 503<\/p>/);
  html = await open(page, type('filename=classes'));
  assert.equal(textOf(html, 'found'), '1 span');
});

test('what is folded away takes no room, and d changes light and dark', async () => {
  const page = await makePage('fold', load);
  const height = (html) => Number(/<div id="height" style="height: (\d+)px/.exec(html)[1]);
  const before = await open(page);
  const folded = await open(page, press('Home', 'ArrowLeft', 'd'));
  assert.ok(height(folded) < height(before));
  const theme = (html) => /data-theme="(\w+)"/.exec(html)[1];
  assert.notEqual(theme(folded), theme(before));
});

test('+ looks closer, 0 shows all again', async () => {
  const html = await open(await makePage('zoom', load), `
    const looks = [], look = () => new Promise((done) => setTimeout(() => { looks.push(document.querySelector('canvas').toDataURL()); done(); }, 50));
    (async () => {
      await look();
      ${press('+', '+')}
      await look();
      ${press('0')}
      await look();
      document.title = [looks[1] === looks[0], looks[2] === looks[0]].join();
    })();`, 'window.requestAnimationFrame = (paint) => setTimeout(paint);'); // a page that nobody looks at is not painted
  assert.match(html, /<title>false,true<\/title>/);
});

test('whatever spans say stays text', async () => {
  const page = await makePage('hostile', [
    [1, 0, HOSTILE, 0, 10, { [HOSTILE]: HOSTILE, '__proto__': HOSTILE }, HOSTILE],
    [2, 1, '{{script}}', 1, 2],
  ]);
  const source = readFileSync(page, 'utf8');
  assert.equal(source.split('</script>').length - 1, 2);
  assert.ok(!source.includes('\u2028') && !source.includes('<img'));
  const html = await open(page, press('Home'));
  assert.match(html, /<title>hoist trace<\/title>/);
  assert.ok(!html.includes('<img'));
  assert.match(textOf(html, 'pane'), /^<h2>&lt;\/script&gt;/);
});

test('events, links, kind, scope and resource are in the pane, as text', async () => {
  const trace = join(dir, 'whole.jsonl'), page = join(dir, 'whole.html');
  const attributesOf = attributes({ [HOSTILE]: HOSTILE });
  const span = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), name: 'a', kind: 2, startTimeUnixNano: nano(0), endTimeUnixNano: nano(2),
    droppedEventsCount: 3, events: [{ name: `event ${HOSTILE}`, timeUnixNano: nano(1), attributes: attributesOf }],
    links: [{ traceId: '2'.repeat(32), spanId: '3'.repeat(16), attributes: attributesOf }] };
  const child = { ...span, spanId: '4'.repeat(16), parentSpanId: span.spanId, events: [], links: [] };
  writeFileSync(trace, JSON.stringify({ resourceSpans: [{ resource: { attributes: attributes({ 'service.name': `shop ${HOSTILE}` }) },
    scopeSpans: [{ scope: { name: `lib ${HOSTILE}` }, spans: [span, child] }] }] }));
  await hoistOk(['trace', '--html', page, trace]);
  const html = await open(page, press('Home')), pane = textOf(html, 'pane');
  assert.ok(!html.includes('<img') && html.includes('<title>hoist trace</title>'));
  for (const part of ['<dt>kind</dt><dd>server</dd>', '<dt>dropped events</dt><dd>3</dd>', '<h3>event: event &lt;/script&gt;',
    '<dt>after the start of the trace</dt><dd>1 ms</dd>', `<dt>trace id</dt><dd>${'2'.repeat(32)}</dd>`, '<dt>name</dt><dd>lib &lt;', '<dt>service.name</dt><dd>shop &lt;'])
    assert.ok(pane.includes(part), `${part}: ${pane}`);
  assert.match(textOf(await open(page, press('Home', 'ArrowDown')), 'pane'), /<dt>service.name<\/dt><dd>shop/);
});

test('the policy lets no other script run and nothing be fetched', async () => {
  const page = await makePage('policy', load);
  const source = readFileSync(page, 'utf8');
  assert.match(source, /default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'/);
  assert.ok(!/(?:src|href)="|url\(|https?:/.test(source.replace(/<script id="data".*?<\/script>/s, '')));
  const forced = page.replace('.html', '-forced.html');
  writeFileSync(forced, source.replace('</body>', '<script>document.title="owned"</script></body>'));
  assert.match(await open(forced), /<title>hoist trace<\/title>/);
});

test('twenty thousand spans are no trouble', async () => {
  const spans = [[1, 0, 'root', 0, 20_000]];
  for (let i = 2; i <= 20_000; i++) spans.push([i, i % 3 ? i - 1 : 1, `span ${i}`, i - 2, i]);
  const html = await open(await makePage('many', spans), press('End'));
  assert.match(textOf(html, 'summary'), /20000 spans/);
  assert.match(textOf(html, 'pane'), /<h2>span 20000<\/h2>/);
});
