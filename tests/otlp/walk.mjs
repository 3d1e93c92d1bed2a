// SPDX-License-Identifier: Apache-2.0
//
// Counts the spans of a trace request by walking the protobuf, for tests with very many of them: a
// fraction of what the official decoder takes. It looks at nothing but lengths and span ids.

/** Calls visit(field, start, end) for each length-delimited field of the message in [start, end). */
function each(bytes, start, end, visit) {
  let at = start;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const tag = varint();
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: at += 8; break;
      case 2: { const size = varint(); visit(tag >>> 3, at, at + size); at += size; break; }
      case 5: at += 4; break;
      default: throw new Error(`wire type ${tag & 7}`);
    }
  }
  if (at !== end) throw new Error('a field is longer than its message');
}

/** → how many spans an ExportTraceServiceRequest holds; onId gets each span id (8 bytes as latin1). */
export function countSpans(bytes, onId) {
  let spans = 0;
  each(bytes, 0, bytes.length, (field, start, end) => field === 1 // resource_spans
    && each(bytes, start, end, (inResource, from, to) => inResource === 2 // scope_spans
      && each(bytes, from, to, (inScope, at, stop) => {
        if (inScope !== 2) return; // spans
        spans++;
        each(bytes, at, stop, (inSpan, idAt, idEnd) => { if (inSpan === 2) onId(bytes.latin1Slice(idAt, idEnd)); });
      })));
  return spans;
}
