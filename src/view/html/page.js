// SPDX-License-Identifier: Apache-2.0
//
// The page of `hoist trace --html`. The traces stand in the page as JSON, the objects that
// `hoist trace --json` prints. Rows are painted on a canvas, only those in view, so the number of
// spans does not matter. Texts of spans reach the document through textContent and fillText only.

'use strict';
(() => {
  const ROW = 22, RULER = 24, INDENT = 14, MIN_BAR = 2, MIN_SPAN_S = 1e-7, MAX_NAMES = 0.5;
  const $ = (id) => document.getElementById(id);
  const canvas = $('canvas'), scroll = $('scroll'), tree = $('tree'), pane = $('pane');
  const paint = canvas.getContext('2d');
  const traces = JSON.parse($('data').textContent).map(link);

  let trace = traces[0];
  let rows = []; // spans that no folded ancestor hides
  let from = 0, to = 1; // the seconds in view
  let chosen = null, matches = new Set(), order = [];
  let names = 300; // pixels for the names
  let colors = {};

  // ---- data ------------------------------------------------------------------------------------

  /** Gives the spans of a trace parents, children, depth, time of their own. They come in tree order. */
  function link(data) {
    const byId = new Map();
    for (const span of data.spans) {
      span.end_s = span.start_s + span.duration_s;
      span.children = [];
      span.folded = false;
      span.parent = byId.get(span.parent_id) ?? null;
      span.depth = span.parent ? span.parent.depth + 1 : 0;
      if (span.parent) span.parent.children.push(span);
      if (!byId.has(span.span_id)) byId.set(span.span_id, span);
    }
    for (const span of data.spans) span.gaps = gapsOf(span);
    return data;
  }

  /** The times in which none of its children was running. */
  function gapsOf(span) {
    const gaps = [];
    let at = span.start_s;
    for (const child of span.children) {
      if (child.start_s >= span.end_s) break;
      if (child.start_s > at) gaps.push([at, child.start_s]);
      at = Math.max(at, child.end_s);
    }
    if (at < span.end_s) gaps.push([at, span.end_s]);
    return gaps;
  }

  const selfOf = (span) => span.gaps.reduce((sum, [a, b]) => sum + b - a, 0);

  /** What tells a span from others of its name. */
  function subjectOf(span) {
    const key = ['artifact.filename', 'model.artifacts.source', 'model.id'].find((one) => one in span.attributes);
    return key ? String(span.attributes[key]) : '';
  }

  function duration(seconds, digits = 3) {
    if (seconds >= 60) return `${Math.floor(seconds / 60)}m ${(seconds % 60).toFixed(1)}s`;
    for (const [unit, size] of [['s', 1], ['ms', 1e-3], ['µs', 1e-6]])
      if (seconds >= size * 0.9995) return `${Number((seconds / size).toPrecision(digits))} ${unit}`;
    return `${Math.round(seconds * 1e9)} ns`;
  }

  // ---- what is shown ---------------------------------------------------------------------------

  function listRows() {
    rows = [];
    let foldedDepth = Infinity;
    for (const span of trace.spans) {
      if (span.depth > foldedDepth) continue;
      foldedDepth = span.folded ? span.depth : Infinity;
      span.row = rows.push(span) - 1;
    }
    $('height').style.height = `${rows.length * ROW + RULER}px`;
    draw();
  }

  function showTrace(index) {
    trace = traces[index];
    chosen = null;
    const failed = trace.spans.filter((span) => span.failed).length;
    const critical = trace.spans.filter((span) => span.critical).length;
    const when = new Date(Number(BigInt(trace.start_unix_ns) / 1000000n));
    $('summary').textContent = [`${trace.spans[0].name}: ${duration(trace.duration_s)}`,
      `${trace.spans.length} span${trace.spans.length === 1 ? '' : 's'}`, `${critical} on the critical path`,
      failed ? `${failed} failed` : '', when.toISOString().replace('T', ' ').replace('Z', ' UTC'),
      `trace ${trace.trace_id}`].filter(Boolean).join(' · ');
    scroll.scrollTop = 0;
    search();
    showAll();
    listRows();
    describe();
  }

  function view(newFrom, newTo) {
    const whole = Math.max(trace.duration_s, MIN_SPAN_S);
    const size = Math.min(Math.max(newTo - newFrom, MIN_SPAN_S), whole);
    from = Math.min(Math.max(newFrom, 0), whole - size);
    to = from + size;
    draw();
  }

  const showAll = () => view(0, trace.duration_s);

  function zoom(factor, at = (from + to) / 2) {
    view(at - (at - from) * factor, at + (to - at) * factor);
  }

  const timeAt = (x) => from + ((x - names) / barWidth()) * (to - from);
  const barWidth = () => Math.max(scroll.clientWidth - names - 12, 1);

  function choose(span, reveal = true) {
    chosen = span;
    if (span && reveal) {
      let hidden = false;
      for (let above = span.parent; above; above = above.parent) {
        hidden ||= above.folded;
        above.folded = false;
      }
      if (hidden) listRows();
      const top = span.row * ROW;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      const below = top + ROW + RULER - scroll.clientHeight;
      if (below > scroll.scrollTop) scroll.scrollTop = below;
    }
    describe();
    draw();
  }

  function fold(span, folded) {
    if (span.children.length === 0 || span.folded === folded) return;
    span.folded = folded;
    listRows();
  }

  // ---- the pane --------------------------------------------------------------------------------

  function element(name, text, className = '') {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  /** A part of the pane: an event, a link, where a span comes from. */
  function describeNote(note, title, more = {}) {
    const list = document.createElement('dl');
    for (const [key, value] of [...Object.entries(more), ...Object.entries(note.attributes)])
      list.append(element('dt', key), element('dd', String(value)));
    if (note.dropped_attributes) list.append(element('dt', 'dropped attributes'), element('dd', String(note.dropped_attributes)));
    pane.append(element('h3', title), list);
  }

  /** The nearest span up the tree that says where it comes from: those below come from there too. */
  function originOf(span) {
    while (span && !span.resource) span = span.parent;
    return span;
  }

  function describe() {
    pane.replaceChildren();
    tree.setAttribute('aria-label', chosen ? `Spans; selected: ${chosen.name}, ${duration(chosen.duration_s)}` : 'Spans');
    if (!chosen) {
      pane.append(element('p', 'Choose a span to see its attributes.', 'hint'));
      return;
    }
    const list = document.createElement('dl');
    const add = (key, value) => list.append(element('dt', key), element('dd', value));
    const addAttributes = (all) => Object.entries(all).forEach(([key, value]) => add(key, String(value)));
    pane.append(element('h2', chosen.name || '(no name)'));
    if (chosen.failed) pane.append(element('p', chosen.message || 'failed', 'message'));
    add('duration', duration(chosen.duration_s) + (chosen.unfinished ? ' (unfinished)' : ''));
    if (chosen.children.length) add('in none of its children', duration(selfOf(chosen)));
    add('began after', duration(chosen.start_s));
    add('on the critical path', chosen.critical ? 'yes' : 'no');
    if (chosen.kind) add('kind', chosen.kind);
    addAttributes(chosen.attributes);
    if (chosen.tracestate) add('tracestate', chosen.tracestate);
    for (const what of ['attributes', 'events', 'links'])
      if (chosen[`dropped_${what}`]) add(`dropped ${what}`, String(chosen[`dropped_${what}`]));
    add('span id', chosen.span_id);
    pane.append(list);
    for (const event of chosen.events ?? [])
      describeNote(event, `event: ${event.name}`, 'at_s' in event ? { 'after the start of the trace': duration(event.at_s) } : {});
    for (const link of chosen.links ?? [])
      describeNote(link, 'link', { 'trace id': link.trace_id, 'span id': link.span_id, ...(link.tracestate && { tracestate: link.tracestate }) });
    const origin = originOf(chosen);
    if (origin?.scope.name) describeNote({ attributes: origin.scope }, 'scope');
    if (origin) describeNote({ attributes: origin.resource }, 'resource');
  }

  // ---- search ----------------------------------------------------------------------------------

  function isMatch(span, wanted) {
    if (span.name.toLowerCase().includes(wanted) || (span.message ?? '').toLowerCase().includes(wanted)) return true;
    return Object.entries(span.attributes).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(wanted));
  }

  function search() {
    const wanted = $('search').value.trim().toLowerCase();
    order = wanted ? trace.spans.filter((span) => isMatch(span, wanted)) : [];
    matches = new Set(order);
    $('found').textContent = wanted ? `${order.length} span${order.length === 1 ? '' : 's'}` : '';
    draw();
  }

  function nextMatch(step) {
    if (order.length === 0) return;
    const at = order.indexOf(chosen);
    choose(order[at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length]);
  }

  // ---- painting --------------------------------------------------------------------------------

  function readColors() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['ground', 'line', 'text', 'faint', 'bar', 'thin', 'failed', 'failed-thin', 'critical', 'chosen', 'match'])
      colors[name] = style.getPropertyValue(`--${name}`).trim();
  }

  let queued = false;
  function draw() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      drawNow();
    });
  }

  function drawNow() {
    const width = canvas.clientWidth, height = canvas.clientHeight, scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    names = Math.round(Math.min(Math.max(width * 0.42, 160), 520, width * MAX_NAMES));
    paint.setTransform(scale, 0, 0, scale, 0, 0);
    paint.fillStyle = colors.ground;
    paint.fillRect(0, 0, width, height);
    paint.textBaseline = 'middle';
    const first = Math.floor(scroll.scrollTop / ROW);
    const last = Math.min(rows.length, first + Math.ceil(height / ROW) + 1);
    for (let i = first; i < last; i++) drawRow(rows[i], RULER + i * ROW - scroll.scrollTop, width);
    drawRuler(width, height);
  }

  function drawRow(span, y, width) {
    if (span === chosen || matches.has(span)) {
      paint.fillStyle = span === chosen ? colors.chosen : colors.match;
      paint.fillRect(0, y, width, ROW);
    }
    drawName(span, y + ROW / 2);
    drawBar(span, y);
  }

  function drawName(span, y) {
    const time = duration(span.duration_s), x = 10 + Math.min(span.depth * INDENT, names * 0.4);
    paint.font = '12px ui-monospace, monospace';
    const timeWidth = paint.measureText(time).width, end = names - timeWidth - 26;
    paint.fillStyle = colors.faint;
    paint.fillText(time, names - timeWidth - 18, y);
    paint.font = '13px system-ui, sans-serif';
    if (span.children.length) paint.fillText(span.folded ? '▸' : '▾', x, y);
    if (span.critical) {
      paint.beginPath();
      paint.arc(names - 9, y, 3.5, 0, 2 * Math.PI);
      paint.fillStyle = colors.critical;
      paint.fill();
    }
    paint.save();
    paint.beginPath();
    paint.rect(0, y - ROW / 2, end, ROW);
    paint.clip();
    paint.fillStyle = span.failed ? colors.failed : span.context ? colors.faint : colors.text;
    const name = span.name || '(no name)';
    paint.fillText(name, x + 14, y);
    paint.fillStyle = colors.faint;
    paint.fillText(subjectOf(span), x + 22 + paint.measureText(name).width, y);
    paint.restore();
  }

  function drawBar(span, y) {
    const pixels = barWidth() / (to - from);
    const x = (time) => names + (time - from) * pixels;
    const left = names, right = names + barWidth();
    const box = (a, b, color, top, size) => {
      const start = Math.max(x(a), left), end = Math.min(Math.max(x(b), x(a) + MIN_BAR), right);
      paint.fillStyle = color;
      if (end > start) paint.fillRect(start, y + top, end - start, size);
    };
    if (x(span.end_s) + MIN_BAR < left || x(span.start_s) > right) return;
    box(span.start_s, span.end_s, span.failed ? colors['failed-thin'] : colors.thin, 9, 4);
    let drawnTo = -1; // a gap per pixel is enough
    for (const [a, b] of span.gaps) {
      if (x(b) < left || x(b) < drawnTo + 0.5) continue;
      if (x(a) > right) break;
      box(a, b, span.failed ? colors.failed : colors.bar, 5, 12);
      drawnTo = x(b);
    }
    if (span.gaps.length === 0 && span.children.length === 0)
      box(span.start_s, span.end_s, span.failed ? colors.failed : colors.bar, 5, 12);
  }

  function drawRuler(width, height) {
    const least = ((to - from) * 90) / barWidth();
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least);
    paint.fillStyle = colors.ground;
    paint.fillRect(0, 0, width, RULER);
    paint.font = '11px ui-monospace, monospace';
    paint.lineWidth = 1;
    paint.strokeStyle = colors.line;
    paint.beginPath();
    paint.moveTo(0, RULER - 0.5);
    paint.lineTo(width, RULER - 0.5);
    for (let i = Math.ceil(from / step); i * step <= to; i++) {
      const x = Math.round(names + ((i * step - from) / (to - from)) * barWidth()) + 0.5;
      paint.moveTo(x, 6);
      paint.lineTo(x, height);
      paint.fillStyle = colors.faint;
      const digits = Math.min(Math.max(3, Math.ceil(Math.log10(Math.max(i, 1))) + 2), 15); // neighbours differ
      const label = i === 0 ? '0' : duration(i * step, digits);
      if (x + 4 + paint.measureText(label).width < names + barWidth() + 12) paint.fillText(label, x + 4, RULER / 2);
    }
    paint.globalAlpha = 0.45;
    paint.stroke();
    paint.globalAlpha = 1;
  }

  // ---- hands -----------------------------------------------------------------------------------

  function spanAt(event) {
    const box = canvas.getBoundingClientRect(), y = event.clientY - box.top;
    return y < RULER ? null : rows[Math.floor((y - RULER + scroll.scrollTop) / ROW)] ?? null;
  }
  const xOf = (event) => event.clientX - canvas.getBoundingClientRect().left;

  let drag = null;
  scroll.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.offsetX >= scroll.clientWidth) return;
    drag = { x: event.clientX, from, to, moved: false };
  });
  window.addEventListener('pointermove', (event) => {
    if (!drag) return;
    drag.moved ||= Math.abs(event.clientX - drag.x) > 3;
    const moved = ((event.clientX - drag.x) / barWidth()) * (drag.to - drag.from);
    if (drag.moved) view(drag.from - moved, drag.to - moved);
  });
  window.addEventListener('pointerup', (event) => {
    const click = drag && !drag.moved;
    drag = null;
    if (!click) return;
    const span = spanAt(event), fromMark = span && xOf(event) - 10 - Math.min(span.depth * INDENT, names * 0.4);
    tree.focus({ preventScroll: true });
    if (span && fromMark >= -4 && fromMark < 14) fold(span, !span.folded);
    choose(span, false);
  });
  window.addEventListener('pointercancel', () => (drag = null));
  scroll.addEventListener('dblclick', (event) => {
    const span = spanAt(event);
    if (span) fit(span);
  });
  scroll.addEventListener('wheel', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      event.preventDefault();
      zoom(Math.exp(Math.sign(event.deltaY) * 0.2), Math.max(timeAt(xOf(event)), from));
    } else if (event.deltaX || event.shiftKey) {
      event.preventDefault();
      const moved = ((event.deltaX || event.deltaY) / barWidth()) * (to - from);
      view(from + moved, to + moved);
    }
  }, { passive: false });
  scroll.addEventListener('scroll', draw);

  const fit = (span) => view(span.start_s - span.duration_s * 0.05, span.end_s + span.duration_s * 0.05);

  function select(row) {
    choose(rows[Math.min(Math.max(row, 0), rows.length - 1)]);
  }

  const page = () => Math.max(Math.floor(scroll.clientHeight / ROW) - 2, 1);
  const at = () => (chosen ? chosen.row : -1);
  const keys = {
    ArrowDown: () => select(at() + 1),
    ArrowUp: () => select(at() - 1),
    PageDown: () => select(at() + page()),
    PageUp: () => select(at() - page()),
    Home: () => select(0),
    End: () => select(rows.length - 1),
    ArrowRight: () => chosen && (chosen.folded ? fold(chosen, false) : chosen.children.length && choose(chosen.children[0])),
    ArrowLeft: () => chosen && (chosen.children.length && !chosen.folded ? fold(chosen, true) : chosen.parent && choose(chosen.parent)),
    '+': () => zoom(0.7),
    '=': () => zoom(0.7),
    '-': () => zoom(1 / 0.7),
    a: () => view(from - (to - from) * 0.2, to - (to - from) * 0.2),
    s: () => view(from + (to - from) * 0.2, to + (to - from) * 0.2),
    f: () => chosen && fit(chosen),
    0: showAll,
    n: () => nextMatch(1),
    N: () => nextMatch(-1),
    d: toggleTheme,
    '/': () => $('search').focus(),
    Escape: () => choose(null),
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === $('search')) {
      if (event.key === 'Enter') {
        event.preventDefault();
        nextMatch(event.shiftKey ? -1 : 1);
        tree.focus({ preventScroll: true });
      }
      if (event.key === 'Escape') tree.focus();
      return;
    }
    if (event.target.tagName === 'SELECT' || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // ---- light and dark --------------------------------------------------------------------------

  const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
  function setTheme(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    $('theme').textContent = dark ? 'Light' : 'Dark';
    readColors();
    draw();
  }
  function toggleTheme() {
    setTheme(document.documentElement.dataset.theme !== 'dark');
  }
  prefersDark.addEventListener('change', () => setTheme(prefersDark.matches));

  // ---- start -----------------------------------------------------------------------------------

  $('theme').addEventListener('click', toggleTheme);
  $('reset').addEventListener('click', showAll);
  $('search').addEventListener('input', search);
  $('trace').addEventListener('change', () => showTrace($('trace').selectedIndex));
  traces.forEach((one, i) => $('trace').append(
    element('option', `${i + 1}: ${one.spans[0].name} ${one.spans[0].attributes['model.id'] ?? ''} (${duration(one.duration_s)})`)));
  $('pick').hidden = traces.length < 2;
  new ResizeObserver(draw).observe(tree);
  setTheme(prefersDark.matches);
  showTrace(0);
})();
