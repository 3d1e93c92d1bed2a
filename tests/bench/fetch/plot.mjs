// SPDX-License-Identifier: Apache-2.0
//
// The fetch benchmark as a picture: a panel per scenario, a bar of wall seconds per contestant, the fastest
// first, and a line where the slowest single limit stands. SVG by hand; it follows the reader's colour
// scheme.

const COLUMNS = 2;
const PANEL = 430; // width of a panel
const NAMES = 92; // the names stand before the bars
const VALUES = 64; // the seconds after them
const BAR = 14;
const ROW = 20;
const HEAD = 40; // title and the limit's label
const GAP = 22;
const LONGEST = 8; // bars longer than so many times hoist's are cut

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const round = (x) => Math.round(x * 10) / 10;
const seconds = (value) => `${value < 9.995 ? value.toFixed(2) : value.toFixed(1)} s`;

/** One scenario, its upper left corner at 0, 0. */
function panel({ title, results }, limits) {
  const ours = results.hoist.wall;
  const limit = Math.max(...limits.map((name) => results[name]?.wall ?? 0));
  const bars = Object.entries(results).filter(([name]) => !limits.includes(name)).sort(([, a], [, b]) => a.wall - b.wall);
  const full = Math.min(Math.max(limit, ...bars.map(([, { wall }]) => wall)), LONGEST * Math.max(ours, limit));
  const x = (value) => round(NAMES + (PANEL - NAMES - VALUES) * Math.min(1, value / full));
  const at = x(limit);
  const out = [`<text class="title" x="0" y="14">${escape(title)}</text>`];
  bars.forEach(([name, { wall }], i) => {
    const y = HEAD + i * ROW;
    const end = x(wall);
    out.push(`<text class="name${name === 'hoist' ? ' us' : ''}" x="${NAMES - 8}" y="${y + 11.5}">${escape(name)}</text>`);
    out.push(`<rect class="${name === 'hoist' ? 'ours' : 'bar'}" x="${NAMES}" y="${y}" width="${round(Math.max(1, end - NAMES))}" height="${BAR}" rx="2"/>`);
    if (wall > full) out.push(`<path class="cut" d="M${end - 26} ${y + BAR + 2}l6 -${BAR + 4}m4 0l-6 ${BAR + 4}"/>`);
    const value = end < at && end + 48 > at ? at : end; // not across the limit
    out.push(`<text x="${round(value + 6)}" y="${y + 11.5}"${name === 'hoist' ? ' class="us"' : ''}>${seconds(wall)}</text>`);
  });
  out.push(`<path class="limit" d="M${at} ${HEAD - 6}V${HEAD + bars.length * ROW - (ROW - BAR) + 3}"/>`);
  out.push(`<text class="limit" x="${at}" y="${HEAD - 10}" text-anchor="${at > PANEL / 2 ? 'end' : 'start'}">slowest limit ${seconds(limit)}</text>`);
  return { svg: out.join('\n'), height: HEAD + bars.length * ROW + GAP };
}

export function plot(races, limits) {
  const panels = races.map((race) => panel(race, limits));
  const out = [];
  let y = 20;
  for (let i = 0; i < panels.length; i += COLUMNS) {
    const row = panels.slice(i, i + COLUMNS);
    row.forEach(({ svg }, column) => out.push(`<g transform="translate(${20 + column * (PANEL + 20)} ${y})">\n${svg}\n</g>`));
    y += Math.max(...row.map(({ height }) => height));
  }
  const width = 20 + COLUMNS * (PANEL + 20);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="Wall seconds of a fetch, hoist and other downloaders">
<style>
text{font:12.5px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:13.5px}.name{text-anchor:end}.us{font-weight:700}
.back{fill:#fff}.bar{fill:#9aa4af}.ours{fill:#d9480f}.cut{stroke:#fff;stroke-width:2;fill:none}
path.limit{stroke:#1864ab;stroke-width:1.5;stroke-dasharray:4 3}text.limit{fill:#1864ab;font-size:11px}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}.bar{fill:#656c76}.ours{fill:#ff922b}.cut{stroke:#0d1117}path.limit{stroke:#4dabf7}text.limit{fill:#4dabf7}}
</style>
<rect class="back" width="${width}" height="${y}" rx="6"/>
${out.join('\n')}
</svg>
`;
}
