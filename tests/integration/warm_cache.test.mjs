// SPDX-License-Identifier: Apache-2.0
//
// A cache that hoist filled is a warm cache for the Roboflow inference server: every kind of model, by every
// way it can come, passes a reader that was written from that server's rules, and both say the same about it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hoist, hoistOk, tempDir } from '../lib/harness.mjs';
import { readAsReference, referencePath } from '../lib/reference_reader.mjs';
import { makeWorld, modelFiles, writeModel } from './world.mjs';

const world = await makeWorld(after);
const { origin } = world;
const weights = modelFiles['weights.onnx'];
const preprocessing = { 'auto-orient': { enabled: true }, resize: { enabled: true, format: 'Fit (black edges) in', width: 640, height: 480 } };
const type = (task, model, id) => ({ project_task_type: task, model_type: model, model_id: id });

/** [title, id, task, model type, files beside model_type.json] */
const kinds = [
  ['object detection', 'boxes/1', 'object-detection', 'yolov8n', {
    'weights.onnx': weights, 'class_names.txt': 'cat\ndog\n', 'environment.json': { PREPROCESSING: preprocessing, COLORS: { cat: '#ff8000', dog: '#0080ff' } } }],
  ['object detection with yolov5', 'boxes/5', 'object-detection', 'yolov5s', {
    'yolov5s_weights.onnx': weights, 'class_names.txt': 'cat\n', 'environment.json': { PREPROCESSING: preprocessing } }],
  ['instance segmentation with yolov5', 'masks/5', 'instance-segmentation', 'yolov5-seg', {
    'yolov5s_weights.onnx': weights, 'class_names.txt': 'cat\n', 'environment.json': { PREPROCESSING: preprocessing } }],
  ['instance segmentation', 'masks/1', 'instance-segmentation', 'yolact', {
    'weights.onnx': weights, 'class_names.txt': 'cat\n', 'environment.json': { PREPROCESSING: JSON.stringify(preprocessing) } }],
  ['semantic segmentation', 'regions/1', 'semantic-segmentation', 'deep-lab-v3-plus', {
    'weights.onnx': weights, 'class_names.txt': 'road\nsky\n', 'environment.json': { PREPROCESSING: preprocessing } }],
  ['classification with vit', 'labels/1', 'classification', 'vit', {
    'best.onnx': weights, 'environment.json': { PREPROCESSING: preprocessing, CLASS_MAP: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [i, `class ${i}`])), MULTICLASS: true } }],
  ['classification with resnet', 'labels/2', 'classification', 'resnet18', {
    'best.onnx': weights, 'environment.json': { PREPROCESSING: {}, CLASS_MAP: { 0: 'yes', 1: 'no' } } }],
  ['classification with dinov3', 'labels/3', 'classification', 'dinov3_small', {
    'best.onnx': weights, 'environment.json': { PREPROCESSING: {}, CLASS_MAP: { 0: 'yes' } } }],
  ['classification with yolov8', 'labels/4', 'classification', 'yolov8n', {
    'weights.onnx': weights, 'environment.json': { PREPROCESSING: {}, CLASS_MAP: { 0: 'yes' } } }],
  ['keypoints', 'people/1', 'keypoint-detection', 'yolov8n', {
    'weights.onnx': weights, 'class_names.txt': 'person\n', 'environment.json': { PREPROCESSING: preprocessing },
    'keypoints_metadata.json': [{ object_class_id: 0, keypoints: { 0: 'nose', 1: 'left eye', 10: 'tail' }, edges: [{ from: 0, to: 1 }] }] }],
  ['an id that is no portable path', 'Coins/1', 'object-detection', 'yolov8n', {
    'weights.onnx': weights, 'class_names.txt': 'penny\n', 'environment.json': { PREPROCESSING: preprocessing } }],
  ['an id of one word', 'instant-model', 'object-detection', 'yolov8n', {
    'weights.onnx': weights, 'class_names.txt': 'penny\n', 'environment.json': { PREPROCESSING: preprocessing } }],
  ['an id with a name that is reserved', 'workflow/7', 'object-detection', 'yolov8n', {
    'weights.onnx': weights, 'class_names.txt': 'penny\n', 'environment.json': { PREPROCESSING: preprocessing } }],
];
const asText = (value) => (typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value));
const tree = tempDir(after);
for (const [, id, task, model, files] of kinds) {
  const all = Object.fromEntries(Object.entries({ ...files, 'model_type.json': type(task, model, id) }).map(([name, value]) => [name, asText(value)]));
  origin.putModel(id, all);
  writeModel(tree, id, all);
}

/** What hoist and the reader say about one model, in the same words. */
function assertAgree(info, model) {
  assert.equal(info.task_type, model.task);
  assert.equal(info.model_type, model.type);
  assert.equal(info.weights, model.weights);
  assert.deepEqual(info.classes.map(({ name }) => name), model.classNames);
  assert.deepEqual(Object.fromEntries(info.classes.filter(({ color }) => color).map(({ name, color }) => [name, color])), model.colors ?? {});
  assert.equal(info.multiclass, model.multiclass);
  if (model.preprocessing.resize) assert.equal(info.preprocessing.resize_format, model.resize);
  const keypoints = info.keypoints?.map(({ class_id: id, names, ids }) => [id, Object.fromEntries(names.map((name, i) => [ids[i], name]))]);
  assert.deepEqual(keypoints && Object.fromEntries(keypoints), model.keypoints);
}

for (const [title, id, task, model] of kinds) {
  for (const source of ['s3', 'roboflow_api', `dir:${tree}`]) {
    test(`${title}, from ${source.split(':')[0]}`, async (t) => {
      const cache = tempDir(t);
      const env = world.env(cache, { HOIST_SOURCES: source });
      await hoistOk(['pull', id], { env });
      const read = readAsReference(cache, id);
      assert.equal(read.task, task);
      assert.equal(read.type, model);
      assert.deepEqual(readFileSync(join(cache, referencePath(cache, id), read.weights)), weights);
      assertAgree(JSON.parse((await hoistOk(['info', '--json', id], { env })).stdout), read);
      assert.deepEqual(origin.violations(), []);
    });
  }
}

test('a model that lacks a file of its task is no hit for hoist either: it is fetched again', async (t) => {
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3' });
  await hoistOk(['pull', 'boxes/1'], { env });
  // As an older version might have left it: the manifest knows no class_names.txt.
  const path = join(cache, 'boxes/1/.hoist-manifest.json');
  const manifest = JSON.parse(readFileSync(path));
  manifest.files = manifest.files.filter(({ name }) => name !== 'class_names.txt');
  writeFileSync(path, JSON.stringify(manifest));
  const offline = await hoist(['pull', 'boxes/1'], { env: { ...env, OFFLINE_MODE: 'true' } });
  assert.equal(offline.rc, 7, offline.output);
  assert.match(offline.stderr, /class_names\.txt is missing/);
  await hoistOk(['pull', 'boxes/1'], { env });
  assertAgree(JSON.parse((await hoistOk(['info', '--json', 'boxes/1'], { env })).stdout), readAsReference(cache, 'boxes/1'));
});

test('a package that lacks a file of its task is broken: it is named, and nothing is published', async (t) => {
  const cache = tempDir(t);
  for (const [id, gone, files] of [
    ['broken/1', 'class_names.txt', { 'weights.onnx': weights, 'environment.json': { PREPROCESSING: {} } }],
    ['broken/2', 'keypoints_metadata.json', { 'weights.onnx': weights, 'environment.json': { PREPROCESSING: {} }, 'class_names.txt': 'a\n' }],
    ['broken/3', 'environment.json', { 'best.onnx': weights }],
  ]) {
    const task = { 'class_names.txt': 'object-detection', 'keypoints_metadata.json': 'keypoint-detection', 'environment.json': 'classification' }[gone];
    for (const [name, value] of Object.entries({ ...files, 'model_type.json': type(task, 'yolov8n', id) })) origin.s3.put('models', `${id}/${name}`, asText(value));
    const result = await hoist(['pull', id], { env: world.env(cache, { HOIST_SOURCES: 's3' }) });
    assert.equal(result.rc, 7, result.output);
    assert.match(result.stderr, new RegExp(`${gone.replace('.', '\\.')} is missing: a model for ${task} needs it`));
    assert.throws(() => readAsReference(cache, id), /no such directory/);
  }
});
