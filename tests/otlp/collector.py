#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The second, independent OTLP/gRPC peer: gRPC's own C core (python3-grpcio) and a reader of
protobuf that knows nothing but the wire format, with the field numbers of opentelemetry-proto
written down here.

    collector.py [--cert FILE --key FILE [--client-ca FILE]] [--script JSON]

prints {"port": N}, then one JSON object per request, until standard input ends. A script is a list
of {"code": "RESOURCE_EXHAUSTED", "retry_ms": 200, "message": "..."} for the first requests; then all
succeed. What is decoded has the shape of tests/otlp/receiver.mjs: names in camelCase, ids in hex,
64-bit numbers as strings, enums as numbers.
"""

import argparse
import json
import struct
import sys
import threading
from concurrent import futures

import grpc

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift >= 70:
            raise ValueError('a varint of more than ten bytes')


def fields(data):
    """The fields of a message: (number, wire type, value)."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
        elif kind == FIXED64:
            value, at = data[at:at + 8], at + 8
        elif kind == FIXED32:
            value, at = data[at:at + 4], at + 4
        elif kind == BYTES:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError('a field is longer than its message')
        else:
            raise ValueError(f'wire type {kind}')
        yield tag >> 3, kind, value
    if at != len(data):
        raise ValueError('a field is longer than its message')


# ---- values: (wire type, reader) -------------------------------------------------------------------

def signed(value):
    return value - 2 ** 64 if value >= 2 ** 63 else value


TEXT = (BYTES, lambda v: bytes(v).decode('utf-8', 'strict'))
ID = (BYTES, lambda v: bytes(v).hex())
NUMBER = (VARINT, lambda v: v)
FLAG = (VARINT, bool)
INT64 = (VARINT, lambda v: str(signed(v)))
TIME = (FIXED64, lambda v: str(struct.unpack('<Q', v)[0]))
SFIXED64 = (FIXED64, lambda v: str(struct.unpack('<q', v)[0]))
DOUBLE = (FIXED64, lambda v: struct.unpack('<d', v)[0])
FLAGS = (FIXED32, lambda v: struct.unpack('<I', v)[0])


class Repeated:
    def __init__(self, of):
        self.of = of


def packed(of):
    """A repeated number, packed or not."""
    kind, reader = of
    size = 8

    def read(value, wire):
        if wire != BYTES:
            return [reader(value)]
        if kind == FIXED64:
            return [reader(value[i:i + size]) for i in range(0, len(value), size)]
        out, at = [], 0
        while at < len(value):
            number, at = read_varint(value, at)
            out.append(reader(number))
        return out
    return read


def decode(schema, data):
    out = {}
    for number, wire, value in fields(data):
        if number not in schema:
            raise ValueError(f'unknown field {number}')
        name, kind = schema[number]
        if callable(kind):
            out.setdefault(name, []).extend(kind(value, wire))
            continue
        repeated = isinstance(kind, Repeated)
        of = kind.of if repeated else kind
        if isinstance(of, dict):
            if wire != BYTES:
                raise ValueError(f'{name} has wire type {wire}')
            item = decode(of, value)
        else:
            if wire != of[0]:
                raise ValueError(f'{name} has wire type {wire}')
            item = of[1](value)
        if repeated:
            out.setdefault(name, []).append(item)
        else:
            out[name] = item
    return out


ANY_VALUE = {1: ('stringValue', TEXT), 2: ('boolValue', FLAG), 3: ('intValue', INT64),
             4: ('doubleValue', DOUBLE), 7: ('bytesValue', ID)}
KEY_VALUE = {1: ('key', TEXT), 2: ('value', ANY_VALUE)}
ANY_VALUE[5] = ('arrayValue', {1: ('values', Repeated(ANY_VALUE))})
ANY_VALUE[6] = ('kvlistValue', {1: ('values', Repeated(KEY_VALUE))})
ATTRIBUTES = ('attributes', Repeated(KEY_VALUE))
RESOURCE = {1: ATTRIBUTES, 2: ('droppedAttributesCount', NUMBER)}
SCOPE = {1: ('name', TEXT), 2: ('version', TEXT), 3: ATTRIBUTES,
         4: ('droppedAttributesCount', NUMBER)}
EVENT = {1: ('timeUnixNano', TIME), 2: ('name', TEXT), 3: ATTRIBUTES,
         4: ('droppedAttributesCount', NUMBER)}
LINK = {1: ('traceId', ID), 2: ('spanId', ID), 3: ('traceState', TEXT), 4: ATTRIBUTES,
        5: ('droppedAttributesCount', NUMBER), 6: ('flags', FLAGS)}
SPAN = {1: ('traceId', ID), 2: ('spanId', ID), 3: ('traceState', TEXT), 4: ('parentSpanId', ID),
        5: ('name', TEXT), 6: ('kind', NUMBER), 7: ('startTimeUnixNano', TIME),
        8: ('endTimeUnixNano', TIME), 9: ATTRIBUTES, 10: ('droppedAttributesCount', NUMBER),
        11: ('events', Repeated(EVENT)), 12: ('droppedEventsCount', NUMBER),
        13: ('links', Repeated(LINK)), 14: ('droppedLinksCount', NUMBER),
        15: ('status', {2: ('message', TEXT), 3: ('code', NUMBER)}), 16: ('flags', FLAGS)}
EXEMPLAR = {2: ('timeUnixNano', TIME), 3: ('asDouble', DOUBLE), 4: ('spanId', ID),
            5: ('traceId', ID), 6: ('asInt', SFIXED64), 7: ('filteredAttributes', Repeated(KEY_VALUE))}
POINT = {2: ('startTimeUnixNano', TIME), 3: ('timeUnixNano', TIME), 4: ('asDouble', DOUBLE),
         5: ('exemplars', Repeated(EXEMPLAR)), 6: ('asInt', SFIXED64), 7: ATTRIBUTES,
         8: ('flags', NUMBER)}
HISTOGRAM_POINT = {2: ('startTimeUnixNano', TIME), 3: ('timeUnixNano', TIME), 4: ('count', TIME),
                   5: ('sum', DOUBLE), 6: ('bucketCounts', packed(TIME)),
                   7: ('explicitBounds', packed(DOUBLE)), 8: ('exemplars', Repeated(EXEMPLAR)),
                   9: ATTRIBUTES, 10: ('flags', NUMBER), 11: ('min', DOUBLE), 12: ('max', DOUBLE)}
BUCKETS = {1: ('offset', (VARINT, lambda v: (v >> 1) ^ -(v & 1))),
           2: ('bucketCounts', packed((VARINT, str)))}
EXPONENTIAL_POINT = {1: ATTRIBUTES, 2: ('startTimeUnixNano', TIME), 3: ('timeUnixNano', TIME),
                     4: ('count', TIME), 5: ('sum', DOUBLE),
                     6: ('scale', (VARINT, lambda v: (v >> 1) ^ -(v & 1))),
                     7: ('zeroCount', TIME), 8: ('positive', BUCKETS), 9: ('negative', BUCKETS),
                     10: ('flags', NUMBER), 11: ('exemplars', Repeated(EXEMPLAR)),
                     12: ('min', DOUBLE), 13: ('max', DOUBLE), 14: ('zeroThreshold', DOUBLE)}
TEMPORALITY = ('aggregationTemporality', NUMBER)
METRIC = {1: ('name', TEXT), 2: ('description', TEXT), 3: ('unit', TEXT),
          5: ('gauge', {1: ('dataPoints', Repeated(POINT))}),
          7: ('sum', {1: ('dataPoints', Repeated(POINT)), 2: TEMPORALITY,
                      3: ('isMonotonic', FLAG)}),
          9: ('histogram', {1: ('dataPoints', Repeated(HISTOGRAM_POINT)), 2: TEMPORALITY}),
          10: ('exponentialHistogram', {1: ('dataPoints', Repeated(EXPONENTIAL_POINT)),
                                        2: TEMPORALITY})}


def request_of(signal, items):
    scope = {1: ('scope', SCOPE), 2: (items[0], Repeated(items[1])), 3: ('schemaUrl', TEXT)}
    resource = {1: ('resource', RESOURCE), 2: (f'scope{signal}', Repeated(scope)),
                3: ('schemaUrl', TEXT)}
    return {1: (f'resource{signal}', Repeated(resource))}


SERVICES = {
    '/opentelemetry.proto.collector.trace.v1.TraceService/Export':
        ('traces', request_of('Spans', ('spans', SPAN))),
    '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export':
        ('metrics', request_of('Metrics', ('metrics', METRIC))),
}


# ---- answering -------------------------------------------------------------------------------------

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, data):
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def status_with_retry_info(code, message, retry_ms):
    """google.rpc.Status with one google.rpc.RetryInfo."""
    duration = b'\x08' + varint(retry_ms // 1000) + b'\x10' + varint(retry_ms % 1000 * 1000000)
    detail = field(1, b'type.googleapis.com/google.rpc.RetryInfo') + field(2, field(1, duration))
    return b'\x08' + varint(code) + field(2, message.encode()) + field(3, detail)


class Collector(grpc.GenericRpcHandler):
    def __init__(self, script):
        self.script = script
        self.lock = threading.Lock()

    def service(self, details):
        if details.method not in SERVICES:
            return None
        signal, schema = SERVICES[details.method]
        return grpc.unary_unary_rpc_method_handler(
            lambda data, context: self.export(signal, schema, data, context))

    def export(self, signal, schema, data, context):
        with self.lock:
            action = self.script.pop(0) if self.script else {}
        code = grpc.StatusCode[action.get('code', 'OK')]
        record = {'signal': signal, 'bytes': len(data), 'code': code.name, 'hex': data.hex(),
                  'metadata': {k: v for k, v in context.invocation_metadata() if isinstance(v, str)},
                  'timeLeft': context.time_remaining()}
        try:
            record['body'] = decode(schema, data)
        except (ValueError, IndexError, struct.error) as error:
            record['error'] = str(error)
            code = grpc.StatusCode.INVALID_ARGUMENT
        with self.lock:
            print(json.dumps(record), flush=True)
        if code is not grpc.StatusCode.OK:
            message = action.get('message', record.get('error', 'scripted by the test'))
            if 'retry_ms' in action:
                details = status_with_retry_info(code.value[0], message, action['retry_ms'])
                context.set_trailing_metadata((('grpc-status-details-bin', details),))
            context.abort(code, message)
        return b''


def main():
    parser = argparse.ArgumentParser()
    for name in ('--cert', '--key', '--client-ca', '--script'):
        parser.add_argument(name)
    options = parser.parse_args()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4),
                         options=(('grpc.max_receive_message_length', 65 << 20),),
                         compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((Collector(json.loads(options.script or '[]')),))
    if options.cert:
        def read(path):
            with open(path, 'rb') as file:
                return file.read()
        ca = read(options.client_ca) if options.client_ca else None
        credentials = grpc.ssl_server_credentials(((read(options.key), read(options.cert)),), ca,
                                                  require_client_auth=ca is not None)
        port = server.add_secure_port('127.0.0.1:0', credentials)
    else:
        port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    print(json.dumps({'port': port}), flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == '__main__':
    main()
