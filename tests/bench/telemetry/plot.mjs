// SPDX-License-Identifier: Apache-2.0
//
// The telemetry benchmark as a picture: one line per row of the table, one mark per SDK at its
// nanoseconds per call on a logarithmic scale. SVG by hand; it follows the reader's colour scheme.

const WIDTH = 860;
const LEFT = 330; // of the scale; the names of the rows stand before it
const RIGHT = 100; // after it: how many times hoist's the others are
const TOP = 64;
const ROW = 34;

const marks = [ // told apart by shape as well as by colour
  { color: '#d9480f', dark: '#ff922b', at: (x, y) => `<circle class="m0" cx="${x}" cy="${y}" r="6.5"/>` },
  { color: '#1864ab', dark: '#4dabf7', at: (x, y) => `<rect class="m1" x="${x - 5}" y="${y - 5}" width="10" height="10"/>` },
  { color: '#2b8a3e', dark: '#69db7c', at: (x, y) => `<path class="m2" d="M${x} ${y - 6.5}l6.5 11.5h-13z"/>` },
  { color: '#862e9c', dark: '#da77f2', at: (x, y) => `<path class="m3" d="M${x} ${y - 7}l7 7l-7 7l-7-7z"/>` },
];

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const round = (x) => Math.round(x * 10) / 10;
const label = (ns) => (ns < 1 ? ns.toFixed(1) : ns < 1000 ? String(Math.round(ns)) : `${round(ns / 1000)} µs`);
const times = (x) => (x < 10 ? x.toFixed(1) : String(Math.round(x)));

export function plot(rows, sdks) {
  const key = (row) => (row.cpu ? 'cpu_ns' : 'best_ns');
  const values = rows.map((row) => sdks.map((sdk) => sdk.rows[row.id]?.[key(row)] ?? null));
  const shown = rows.map((row, i) => ({ row, values: values[i] })).filter(({ values: [ours] }) => ours !== null);
  const all = shown.flatMap(({ values }) => values.filter((value) => value !== null));
  const low = Math.floor(Math.log10(Math.min(...all)));
  const high = Math.ceil(Math.log10(Math.max(...all)));
  const x = (ns) => round(LEFT + (WIDTH - LEFT - RIGHT) * (Math.log10(ns) - low) / (high - low));
  const bottom = TOP + shown.length * ROW;
  const out = [];

  for (let power = low; power <= high; power++) {
    const at = x(10 ** power);
    out.push(`<path class="grid" d="M${at} ${TOP - 8}V${bottom}"/>`);
    out.push(`<text class="tick" x="${at}" y="${bottom + 18}">${power < 3 ? `${10 ** power} ns` : `${10 ** (power - 3)} µs`}</text>`);
  }
  let from = 16;
  sdks.forEach((sdk, i) => {
    const text = `${sdk.name} ${sdk.version}`;
    out.push(marks[i].at(from, 22), `<text x="${from + 14}" y="26.5">${escape(text)}</text>`);
    from = round(from + 36 + text.length * 7.2);
  });
  if (sdks.length > 1) out.push(`<text class="times" x="${WIDTH - 12}" y="${TOP - 10}">× hoist</text>`);
  shown.forEach(({ row, values: [ours, ...others] }, i) => {
    const y = TOP + i * ROW + ROW / 2;
    const there = others.filter((value) => value !== null);
    out.push(`<text class="row" x="${LEFT - 24}" y="${y + 4.5}">${escape(row.text)}</text>`);
    const ends = [ours, ...there].map(x);
    out.push(`<path class="span" d="M${Math.min(...ends)} ${y}H${Math.max(...ends)}"/>`);
    others.forEach((value, j) => { if (value !== null) out.push(marks[j + 1].at(x(value), y)); });
    out.push(marks[0].at(x(ours), y), `<text class="ours" x="${x(ours)}" y="${y - 10}">${label(ours)}</text>`);
    if (there.length > 0) {
      const range = [...new Set([Math.min(...there), Math.max(...there)].map((value) => times(value / ours)))].join(' – ');
      out.push(`<text class="times" x="${WIDTH - 12}" y="${y + 4.5}">${range}</text>`);
    }
  });
  const css = (which, back) => marks.map((mark, i) => `.m${i}{fill:${mark[which]};stroke:${back};stroke-width:1.2}`).join('') + `.ours{fill:${marks[0][which]}}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 32}" width="${WIDTH}" height="${bottom + 32}" role="img" aria-label="Nanoseconds per call, hoist and other SDKs, logarithmic scale">
<style>
text{font:13px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.row,.times{text-anchor:end}.tick{text-anchor:middle;font-size:12px;fill:#59636e}.ours{text-anchor:middle;font-size:11px;font-weight:600}
.back{fill:#fff}.grid{stroke:#d1d9e0;stroke-width:1}.span{stroke:#9aa4af;stroke-width:1.5}
${css('color', '#fff')}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.tick{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#2f353d}.span{stroke:#656c76}${css('dark', '#0d1117')}}
</style>
<rect class="back" width="${WIDTH}" height="${bottom + 32}" rx="6"/>
${out.join('\n')}
</svg>
`;
}
