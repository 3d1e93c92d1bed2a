// SPDX-License-Identifier: Apache-2.0
//
// The session benchmark as a picture: a pair of bars per model, ONNX Runtime alone and hoist's second load,
// each as a share of the former. SVG by hand; it follows the reader's colour scheme.

const WIDTH = 760;
const LEFT = 130;
const FULL = 470;
const ROW = 46;

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const time = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
const memory = (kb) => `${kb < 10_000 ? (kb / 1000).toFixed(1) : Math.round(kb / 1000)} MB`;

export function plot(results) {
  const out = [];
  results.forEach((r, i) => {
    const y = 44 + i * ROW;
    const share = Math.min(1.2, r.second / r.alone);
    const start = Math.min(share, r.runtime / r.alone);
    out.push(`<text class="name" x="${LEFT - 10}" y="${y + 22}">${escape(r.model)}</text>`);
    out.push(`<rect class="bar" x="${LEFT}" y="${y}" width="${FULL}" height="14" rx="2"/><text x="${LEFT + FULL + 8}" y="${y + 11.5}">${time(r.alone)}, ${memory(r.aloneMemory)}</text>`);
    out.push(`<rect class="ours" x="${LEFT}" y="${y + 17}" width="${(FULL * share).toFixed(1)}" height="14" rx="2"/><rect class="start" x="${LEFT}" y="${y + 17}" width="${(FULL * start).toFixed(1)}" height="14" rx="2"/>`);
    out.push(`<text class="us" x="${(LEFT + FULL * share + 8).toFixed(1)}" y="${y + 28.5}">${time(r.second)}, ${memory(r.pairMemory)}</text>`);
  });
  const height = 60 + results.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Time to open a model: ONNX Runtime alone and hoist's second load">
<style>
text{font:12.5px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:13.5px}.name{text-anchor:end}.us{font-weight:700}
.back{fill:#fff}.bar{fill:#9aa4af}.ours{fill:#d9480f}.start{fill:#f08c5a}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}.bar{fill:#656c76}.ours{fill:#ff922b}.start{fill:#b35c12}}
</style>
<rect class="back" width="${WIDTH}" height="${height}" rx="6"/>
<text class="title" x="20" y="22">ONNX Runtime alone (grey) and hoist's second load (pale: starting the runtime); memory of its own</text>
${out.join('\n')}
</svg>
`;
}
