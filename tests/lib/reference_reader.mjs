// SPDX-License-Identifier: Apache-2.0
//
// How the Roboflow inference server reads a model out of its cache, written once more from its rules and not
// from hoist's code: where the model's directory is, whose it is, which files make a hit, and what they mean.
// A cache that passes is warm for that server. Its BLAKE2s is Python's, so that nothing here is shared with hoist.

import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const fail = (message) => { throw new Error(message); };

// ---- where ---------------------------------------------------------------------------------------

const RESERVED = new Set(['_file_locks', 'auto-resolution-cache', 'hf_home', 'huggingface', 'lora-bases', 'models-cache',
  'owl-v2-serialized-data', 'shared-blobs', 'usage.db', 'workflow']);
const DEVICE = /^(aux|con|nul|prn|com[1-9]|lpt[1-9])$/;

const blake2s128 = (text) => execFileSync('python3', ['-c',
  'import hashlib, sys; print(hashlib.blake2s(sys.stdin.buffer.read(), digest_size=16).hexdigest())'], { input: text, encoding: 'utf8' }).trim();

function slug(id) {
  const readable = id.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/[_-]{2,}/g, '-').slice(0, 48);
  return `~${readable === '' ? 'special-char-only-model-id' : readable}-${blake2s128(id)}`;
}

const isPortable = (segment) => /^[a-z0-9._ -]+$/.test(segment) && !/[ .]$/.test(segment)
  && !DEVICE.test(segment.split('.')[0].replace(/ +$/, '')) && Buffer.byteLength(segment) <= 255;

/** The directory of a model below the cache's root. */
export function referencePath(root, id) {
  const segments = id.split(/[\\/]/);
  if (segments.some((segment) => ['', '.', '..'].includes(segment))) fail(`${id}: an unsafe segment`);
  const [first] = segments;
  const isRaw = !id.includes('\\') && !first.startsWith('~') && !RESERVED.has(first) && !/^[A-Za-z0-9_-]{1,48}-[0-9a-f]{8}$/.test(first)
    && segments.every(isPortable) && Buffer.byteLength(join(root, id)) < 4096;
  return isRaw ? id : slug(id);
}

// ---- whose ---------------------------------------------------------------------------------------

/** Nothing but directories and regular files, from the root down: no links to anywhere else. */
function assertSafeTree(root, path) {
  let at = root;
  for (const segment of path.split('/')) {
    at = join(at, segment);
    const info = lstatSync(at, { throwIfNoEntry: false }) ?? fail(`${path}: there is no such directory`);
    if (!info.isDirectory()) fail(`${at} is no directory`);
  }
  const walk = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) walk(join(dir, entry.name));
      else if (!entry.isFile()) fail(`${join(dir, entry.name)} is neither a file nor a directory`);
    }
  };
  walk(at);
  return at;
}

function readJson(dir, name) {
  const bytes = readFileSync(join(dir, name));
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  try { return JSON.parse(text); } catch (error) { return fail(`${name}: ${error.message}`); }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function readOwner(dir, id) {
  if (!lstatSync(join(dir, 'model_type.json'), { throwIfNoEntry: false })?.isFile()) fail('model_type.json is missing');
  const owner = readJson(dir, 'model_type.json');
  if (!isObject(owner) || owner.model_id !== id) fail(`model_type.json: the directory is not that of ${id}`);
  for (const key of ['project_task_type', 'model_type']) if (typeof owner[key] !== 'string') fail(`model_type.json: ${key} is no text`);
  return owner;
}

// ---- what ----------------------------------------------------------------------------------------

const FILES = {
  'object-detection': ['environment.json', 'class_names.txt'],
  'instance-segmentation': ['environment.json', 'class_names.txt'],
  'semantic-segmentation': ['environment.json', 'class_names.txt'],
  classification: ['environment.json'],
  'keypoint-detection': ['environment.json', 'class_names.txt', 'keypoints_metadata.json'],
};

function weightsName(task, type) {
  if (/^yolov5/.test(type) && (task === 'object-detection' || task === 'instance-segmentation')) return 'yolov5s_weights.onnx';
  if (/^(vit|resnet|dinov3)/.test(type) && task === 'classification') return 'best.onnx';
  return 'weights.onnx';
}

function readPreprocessing(environment) {
  if (!('PREPROCESSING' in environment)) fail('environment.json: there is no PREPROCESSING');
  const value = isObject(environment.PREPROCESSING) ? environment.PREPROCESSING : JSON.parse(environment.PREPROCESSING);
  if (!isObject(value)) fail('environment.json: PREPROCESSING is no object');
  return value;
}

function readClassNames(dir, files, environment) {
  if (files.includes('class_names.txt')) {
    return readFileSync(join(dir, 'class_names.txt'), 'utf8').split('\n').map((line) => line.trim()).filter(Boolean);
  }
  const map = isObject(environment.CLASS_MAP) ? environment.CLASS_MAP : fail('environment.json: there is no CLASS_MAP');
  return Object.keys(map).map((_, i) => map[String(i)] ?? fail(`environment.json: CLASS_MAP has no "${i}"`));
}

const readKeypoints = (list) => Object.fromEntries(list.map(({ object_class_id: id, keypoints }) => [id, Object.fromEntries(
  Object.entries(keypoints).map(([key, name]) => [/^\d+$/.test(key) ? Number(key) : fail(`keypoints_metadata.json: ${key}`), name]))]));

/**
 * Reads model `id` as the server does, or throws what is wrong with it:
 * {task, type, weights, files, classNames, colors, preprocessing, resize, multiclass, keypoints}.
 */
export function readAsReference(root, id) {
  const dir = assertSafeTree(root, referencePath(root, id));
  const { project_task_type: task, model_type: type } = readOwner(dir, id);
  const weights = weightsName(task, type);
  const files = [...(FILES[task] ?? fail(`${task}: no task that is known`)), weights];
  for (const name of files) if (!lstatSync(join(dir, name), { throwIfNoEntry: false })?.isFile()) fail(`no hit: ${name} is missing`);
  const environment = readJson(dir, 'environment.json');
  if (!isObject(environment)) fail('environment.json is no object');
  const preprocessing = readPreprocessing(environment);
  return {
    task, type, weights, files, preprocessing,
    classNames: readClassNames(dir, files, environment),
    colors: isObject(environment.COLORS) ? environment.COLORS : undefined,
    resize: preprocessing.resize ? preprocessing.resize.format ?? 'Stretch to' : 'Stretch to',
    multiclass: environment.MULTICLASS ?? false,
    keypoints: files.includes('keypoints_metadata.json') ? readKeypoints(readJson(dir, 'keypoints_metadata.json')) : undefined,
  };
}
