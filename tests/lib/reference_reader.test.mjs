// SPDX-License-Identifier: Apache-2.0
//
// The reader of caches finds what is wrong with one: a cache that it takes whatever is in it proves nothing.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from './harness.mjs';
import { readAsReference, referencePath } from './reference_reader.mjs';

const ID = 'people/2';
const OWNER = { project_task_type: 'keypoint-detection', model_type: 'yolov8n-pose', model_id: ID };

function writeCache(t) {
  const root = tempDir(t);
  const dir = join(root, ID);
  mkdirSync(dir, { recursive: true });
  const write = (name, value) => writeFileSync(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value));
  write('model_type.json', OWNER);
  write('environment.json', { PREPROCESSING: '{"resize": {"width": 8, "height": 8}}', COLORS: { person: '#ff0000' } });
  write('class_names.txt', 'person\n dog \n');
  write('keypoints_metadata.json', [{ object_class_id: 0, keypoints: { 0: 'nose' } }]);
  write('weights.onnx', 'weights');
  return { root, dir, write };
}

test('a whole model is read as the server reads it', (t) => {
  const { root } = writeCache(t);
  const model = readAsReference(root, ID);
  assert.deepEqual(model.classNames, ['person', 'dog']);
  assert.deepEqual(model.keypoints, { 0: { 0: 'nose' } });
  assert.deepEqual(model.colors, { person: '#ff0000' });
  assert.equal(model.resize, 'Stretch to');
  assert.equal(model.weights, 'weights.onnx');
});

test('everything that makes it no hit is found', (t) => {
  const DEFECTS = [
    ...['environment.json', 'class_names.txt', 'keypoints_metadata.json', 'weights.onnx'].map((name) => [({ dir }) => rmSync(join(dir, name)), `no hit: ${name} is missing`]),
    [({ dir }) => rmSync(join(dir, 'model_type.json')), 'model_type.json is missing'],
    [({ write }) => write('model_type.json', { ...OWNER, model_id: 'people/1' }), 'not that of people/2'],
    [({ write }) => write('model_type.json', { ...OWNER, model_id: undefined }), 'not that of people/2'],
    [({ write }) => write('model_type.json', { ...OWNER, model_type: null }), 'model_type is no text'],
    [({ write }) => write('model_type.json', { ...OWNER, project_task_type: 'juggling' }), 'no task that is known'],
    [({ write }) => write('model_type.json', { ...OWNER, model_type: 'yolov5s', project_task_type: 'object-detection' }), 'yolov5s_weights.onnx is missing'],
    [({ write }) => write('model_type.json', { ...OWNER, model_type: 'vit', project_task_type: 'classification' }), 'best.onnx is missing'],
    [({ write }) => write('environment.json', '{'), 'environment.json: '],
    [({ write }) => write('environment.json', []), 'environment.json is no object'],
    [({ write }) => write('environment.json', {}), 'there is no PREPROCESSING'],
    [({ write }) => write('environment.json', { PREPROCESSING: '[]' }), 'PREPROCESSING is no object'],
    [({ write }) => write('keypoints_metadata.json', [{ object_class_id: 0, keypoints: { nose: 0 } }]), 'keypoints_metadata.json: nose'],
    [({ dir }) => { renameSync(join(dir, 'weights.onnx'), join(dir, '../away')); symlinkSync('../away', join(dir, 'weights.onnx')); }, 'neither a file nor a directory'],
    [({ dir }) => execFileSync('mkfifo', [join(dir, 'pipe')]), 'neither a file nor a directory'],
    [({ root, dir }) => { renameSync(dir, join(root, 'elsewhere')); symlinkSync('../elsewhere', dir); }, 'is no directory'],
    [({ root }) => rmSync(join(root, 'people'), { recursive: true }), 'there is no such directory'],
    [({ write }) => { write('model_type.json', { ...OWNER, project_task_type: 'classification' }); }, 'there is no CLASS_MAP'],
    [({ write }) => {
      write('model_type.json', { ...OWNER, project_task_type: 'classification' });
      write('environment.json', { PREPROCESSING: {}, CLASS_MAP: { 0: 'a', 2: 'c' } });
    }, 'CLASS_MAP has no "1"'],
  ];
  for (const [spoil, message] of DEFECTS) {
    const cache = writeCache(t);
    spoil(cache);
    assert.throws(() => readAsReference(cache.root, ID), (error) => error.message.includes(message) || assert.fail(`${error.message}, expected ${message}`));
  }
});

test('ids are found where the server looks for them', () => {
  for (const [id, path] of [
    ['coco/3', 'coco/3'], ['a.b_c-d e/1', 'a.b_c-d e/1'], ['Coins/1', '~Coins-1-4feee23e30fccb2404a13288e65a2cf1'],
    ['workflow/1', /^~workflow-1-[0-9a-f]{32}$/], ['abc-0123abcd/1', /^~abc-0123abcd-1-[0-9a-f]{32}$/], ['x/con', /^~x-con-/], ['x/com1.onnx', /^~x-com1-onnx-/],
    ['x/ends.', /^~x-ends-/], ['~x/1', /^~-x-1-/], [`${'é'.repeat(3)}`, /^~--?[0-9a-f]{32}$/], [`${'x'.repeat(256)}/1`, /^~x{48}-[0-9a-f]{32}$/],
  ]) assert.match(referencePath('/cache', id), path instanceof RegExp ? path : new RegExp(`^${path.replace(/[.]/g, '\\.')}$`), id);
  for (const id of ['', 'a//b', '../a', 'a/.', 'a\\..']) assert.throws(() => referencePath('/cache', id), /unsafe/);
});
