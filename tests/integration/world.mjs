// SPDX-License-Identifier: Apache-2.0
//
// The world of the integration tests: one small real model, an origin that has it in a bucket and in
// the API, a receiver that decodes what hoist exports, and the environment that ties them together.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onnxRuntime, realModel, tempDir } from '../lib/harness.mjs';
import { startOrigin } from '../origin/origin.mjs';
import { startReceiver } from '../otlp/receiver.mjs';

export const modelId = 'faces/1';
export const marker = 'MARKER-must-never-be-seen-4f1c';

/** The files of the model as they stand in a bucket. */
export const modelFiles = {
  'weights.onnx': readFileSync(realModel),
  'environment.json': JSON.stringify({
    PREPROCESSING: { 'auto-orient': { enabled: true }, resize: { enabled: true, format: 'Stretch to', width: 128, height: 128 } },
    CLASS_MAP: { 0: 'face' },
    COLORS: { face: '#ff8000' },
  }),
  'class_names.txt': 'face\n',
  'model_type.json': JSON.stringify({ project_task_type: 'object-detection', model_type: 'yolov8n', model_id: modelId }),
};
export const totalBytes = Object.values(modelFiles).reduce((sum, data) => sum + Buffer.byteLength(data), 0);

/** Puts a model into an origin, both ways. */
export function putModel(origin, id = modelId, files = modelFiles) {
  for (const [name, data] of Object.entries(files)) {
    origin.s3.put('models', `${id}/${name}`, Buffer.from(data));
    origin.api.put(id, name, data);
  }
}

/** Writes a model as a directory tree below `root`, for the source dir:. */
export function writeModel(root, id = modelId, files = modelFiles) {
  for (const [name, data] of Object.entries(files)) {
    const path = join(root, id, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
  }
  return root;
}

/** What hoist needs on this machine whatever it loads. Graphs are saved only where a test is about them. */
export const baseEnv = () => ({ HOIST_GRAPH_CACHE: 'off', AWS_EC2_METADATA_DISABLED: 'true', ...(onnxRuntime() ? { HOIST_ONNXRUNTIME: onnxRuntime() } : {}) });

/**
 * An origin with the model, a receiver, and env(cacheDir, more). The secrets are markers, so that any
 * test can search for them. `t` is a test or `after`.
 */
export async function makeWorld(t, originOptions = {}) {
  const origin = await startOrigin({
    credentials: { accessKey: 'standinkey', secret: `${marker}-s3secret`, sessionToken: `${marker}-session` },
    apiKey: `${marker}-apikey`, ...originOptions,
  });
  const receiver = await startReceiver();
  const stop = async () => { await origin.close(); await receiver.close(); };
  if (typeof t === 'function') t(stop); else t.after(stop);
  putModel(origin);
  return {
    origin,
    receiver,
    tempDir: () => tempDir(t),
    env: (cache, more = {}) => ({
      ...baseEnv(), ...origin.env(), MODEL_CACHE_DIR: cache,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl, ...more,
    }),
  };
}
