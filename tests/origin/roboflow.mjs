// SPDX-License-Identifier: Apache-2.0
//
// The Roboflow API part of the stand-in origin: /ort/{dataset}/{version}, /core_model/{id}, /owlv2/{dataset}/{version}, /getWeights,
// /models/v1/external/{stat,weights}, and the presigned file URLs they hand out. Models come from
// TREE/api/{model_id}/. It is stricter than the real API on purpose: a request that the API merely
// tolerates is refused here with the rule it broke, so that a test finds it.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bufferBody, fileBody } from './answer.mjs';
import { md5OfFile } from './s3.mjs';

const DESCRIBED = ['environment.json', 'class_names.txt', 'keypoints_metadata.json', 'model_type.json'];

/** What the API would answer instead: a status and a message. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
const rule = (message) => Object.assign(new ApiError(400, `stand-in origin: rule broken: ${message}`), { breaksRule: true });

/** How the API expects query values: everything but A-Z a-z 0-9 _ . - ~ percent-encoded, space as `+`. */
const quotePlus = (text) => encodeURIComponent(text)
  .replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+');

function decodeQuery(raw) {
  return raw.split('&').filter(Boolean).map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 0) throw rule(`the query parameter "${pair}" has no value`);
    const [name, encoded] = [pair.slice(0, equals), pair.slice(equals + 1)];
    let value;
    try { value = decodeURIComponent(encoded.replace(/\+/g, ' ')); } catch { throw rule(`the value of ${name} is not percent-encoded UTF-8`); }
    if (quotePlus(value) !== encoded) throw rule(`the value of ${name} is encoded as "${encoded}", not as "${quotePlus(value)}"`);
    return [name, value];
  });
}

const merged = (target, patch) => { // RFC 7396
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result = target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]; else result[name] = merged(result[name], value);
  }
  return result;
};

export class Roboflow {
  #dir;
  #options;
  #urlSecret = randomBytes(32);
  #added = new Map(); // "model_id/file" → Buffer
  #offers = new Map(); // model_id → what /models/v1/external/weights knows of it
  #kinds = new Map(); // model_id → 'core_model' or 'owlv2', of models that only that endpoint has
  #digests = new WeakMap(); // Buffer → its MD5: a large file is asked for in many parts

  constructor({ dir, ...options }) {
    this.#dir = dir && join(dir, 'api');
    this.#options = options;
  }

  /** A model file without a file on disk. */
  put(modelId, file, data) {
    this.#added.set(`${modelId}/${file}`, Buffer.from(data));
  }

  /**
   * Lets the endpoint for packages (and /stat) know a model, which no model does by itself. `packages`: [{packageId, manifest (merged
   * over a plain ONNX one), trustedSource, files: {fileHandle: name of the model's file}}], or whole entries as {raw}; left out: one
   * package with all files. `pageSize`: packages to a page. `metadata` is merged over modelMetadata.
   */
  offer(modelId, { packages, pageSize = 100, metadata = {} } = {}) {
    this.#offers.set(modelId, { packages, pageSize, metadata });
  }

  /** Makes it a model that only /core_model or only /owlv2 has. */
  setKind(modelId, kind) {
    this.#kinds.set(modelId, kind);
  }

  async #read(modelId, file) {
    const added = this.#added.get(`${modelId}/${file}`);
    if (added) return added;
    return this.#dir ? readFile(join(this.#dir, modelId, file)).catch(() => null) : null;
  }

  async #files(modelId) {
    const names = new Set();
    const prefix = `${modelId}/`;
    for (const path of this.#added.keys()) if (path.startsWith(prefix)) names.add(path.slice(prefix.length));
    const safe = this.#dir && modelId.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    const entries = safe ? await readdir(join(this.#dir, modelId), { withFileTypes: true }).catch(() => []) : [];
    for (const entry of entries) if (entry.isFile()) names.add(entry.name);
    return [...names].sort();
  }

  #presign(modelId, file, expired) {
    const expires = Math.floor(this.#options.now() / 1000) + (expired ? -1 : this.#options.urlLifetime);
    const path = `/files/${[...modelId.split('/'), file].map(encodeURIComponent).join('/')}`;
    return `${this.#options.filesBase()}${path}?X-Goog-Signature=${this.#mac(path, expires)}&expires=${expires}`;
  }

  #mac(path, expires) {
    return createHmac('sha256', this.#urlSecret).update(`${path}\n${expires}`).digest('hex');
  }

  async #model(modelId) {
    const files = await this.#files(modelId);
    const text = async (name) => (files.includes(name) ? (await this.#read(modelId, name)).toString() : undefined);
    const json = async (name) => { const found = await text(name); return found === undefined ? undefined : JSON.parse(found); };
    if (files.length === 0) throw new ApiError(404, `model ${modelId} not found`);
    const weights = files.find((name) => name === 'weights.onnx') ?? files.find((name) => name.endsWith('.onnx'));
    const environment = await json('environment.json');
    const type = await json('model_type.json') ?? {};
    const classes = (await text('class_names.txt'))?.split('\n').filter(Boolean);
    return {
      files, weights, classes, type,
      environment,
      colors: environment?.COLORS,
      keypoints: await json('keypoints_metadata.json'),
      others: files.filter((name) => name !== weights && !DESCRIBED.includes(name)),
    };
  }

  #checkHeaders(headers) {
    if (!headers['x-roboflow-inference-version']) throw rule('the header X-Roboflow-Inference-Version is required');
    if (headers['x-allow-chunked'] !== 'true') throw rule('the header X-Allow-Chunked: true is required');
    for (const [name, value] of Object.entries(this.#options.extraHeaders)) {
      if (headers[name.toLowerCase()] !== value) throw rule(`the extra header ${name} is required`);
    }
  }

  #checkKey(given) {
    const { apiKey } = this.#options;
    if (apiKey !== null && given !== apiKey) throw new ApiError(401, given === undefined ? 'an API key is required' : 'this API key is not valid');
  }

  #checkQueryKey(headers, pairs) {
    if (headers.authorization !== undefined) throw rule('the API key belongs into the query (api_key), not into Authorization');
    this.#checkKey(new Map(pairs).get('api_key'));
  }

  #checkOrder(pairs, allowed) {
    const names = pairs.map(([name]) => name).join(',');
    if (!allowed.includes(names)) throw rule(`the query's parameters are "${names}"; allowed, in this order: ${allowed.map((text) => `"${text}"`).join(' or ')}`);
  }

  /** → answer for send(), or null where the path is none of the API's. Throws ApiError. */
  async handle({ method, path, rawQuery, headers }, script = {}) {
    const suffix = this.#options.weightsSuffix ? `/${this.#options.weightsSuffix}` : '';
    const local = suffix && path.startsWith(`${suffix}/`) ? path.slice(suffix.length) : suffix ? null : path;
    const [, endpoint, id] = /^\/(ort|core_model|owlv2)\/(.*)$/.exec(local ?? '') ?? [];
    let answer;
    if (endpoint === 'ort') answer = () => this.#ort(id, decodeQuery(rawQuery), headers, script);
    else if (endpoint === 'core_model') answer = () => this.#coreModel(id, decodeQuery(rawQuery), headers, script);
    else if (endpoint === 'owlv2') answer = () => this.#owlv2(id, decodeQuery(rawQuery), headers, script);
    else if (local === '/getWeights') answer = () => this.#getWeights(decodeQuery(rawQuery), headers, script);
    else if (path === '/models/v1/external/stat') answer = () => this.#stat(decodeQuery(rawQuery), headers);
    else if (path === '/models/v1/external/weights') answer = () => this.#weights(decodeQuery(rawQuery), headers, script);
    else return null;
    if (method !== 'GET') throw new ApiError(405, 'only GET');
    this.#checkHeaders(headers);
    let value = await answer();
    if (script.merge) value = merged(value, script.merge);
    if (script.edit) value = script.edit(value) ?? value;
    return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: bufferBody(JSON.stringify(value)) };
  }

  /** The query that /ort, /core_model and /owlv2 have in common. */
  #checkDeviceQuery(pairs, headers) {
    const base = 'nocache,device,dynamic';
    this.#checkOrder(pairs, [base, `${base},api_key`,
      ...(this.#options.weightsSuffix === 'serverless' ? [`${base},countinference,service_secret`, `${base},api_key,countinference,service_secret`] : [])]);
    const query = new Map(pairs);
    if (query.get('nocache') !== 'true' || query.get('dynamic') !== 'true') throw rule('nocache and dynamic must be "true"');
    if (!query.get('device')) throw rule('device must not be empty');
    this.#checkQueryKey(headers, pairs);
    if (query.has('countinference')) {
      if (query.get('countinference') !== 'false') throw rule('countinference, where given, must be "false"');
      if (query.get('service_secret') !== this.#options.serviceSecret) throw new ApiError(403, 'this service secret is not valid');
    }
  }

  #splitVersioned(endpoint, idPath) {
    const parts = idPath.split('/').map((part) => decodeURIComponent(part));
    if (parts.length !== 2 || !/^\d+$/.test(parts[1])) throw rule(`/${endpoint} takes {dataset}/{version}, and the version is an integer`);
    return parts;
  }

  async #modelOfKind(id, kind) {
    if (this.#kinds.get(id) !== kind) throw new ApiError(404, `model ${id} not found`);
    return this.#model(id);
  }

  async #coreModel(idPath, pairs, headers, script) {
    this.#checkDeviceQuery(pairs, headers);
    const id = idPath.split('/').map((part) => decodeURIComponent(part)).join('/');
    const model = await this.#modelOfKind(id, 'core_model');
    return { weights: Object.fromEntries(model.files.map((file, i) => [`file_${i}`, this.#presign(id, file, script.expire)])) };
  }

  async #owlv2(idPath, pairs, headers, script) {
    const id = this.#splitVersioned('owlv2', idPath).join('/');
    this.#checkDeviceQuery(pairs, headers);
    const model = await this.#modelOfKind(id, 'owlv2');
    return { owlv2: { model: this.#presign(id, model.files[0], script.expire) } };
  }

  async #ort(idPath, pairs, headers, script) {
    const parts = this.#splitVersioned('ort', idPath);
    this.#checkDeviceQuery(pairs, headers);
    const id = parts.join('/');
    const model = await this.#modelOfKind(id, undefined);
    const url = (file) => this.#presign(id, file, script.expire);
    return { ort: {
      name: parts[0],
      type: model.type.project_task_type ?? 'object-detection',
      modelType: model.type.model_type,
      modelVariant: model.type.model_variant,
      classes: model.classes,
      colors: model.colors,
      environment: model.environment && url('environment.json'),
      model: model.weights && url(model.weights),
      keypoints_metadata: model.keypoints,
      weights: model.others.length ? Object.fromEntries(model.others.map((file) => [file, url(file)])) : undefined,
    } };
  }

  async #getWeights(pairs, headers, script) {
    this.#checkOrder(pairs, ['model', 'model,api_key']);
    this.#checkQueryKey(headers, pairs);
    const id = new Map(pairs).get('model');
    const model = await this.#model(id);
    const { COLORS: colors, ...environment } = model.environment ?? {};
    return {
      modelFiles: { ort: { model: model.weights && this.#presign(id, model.weights, script.expire) } },
      environment: model.environment && environment,
      classes: model.classes,
      colors,
      keypoints_metadata: model.keypoints,
      taskType: model.type.project_task_type ?? 'object-detection',
      modelType: model.type.model_type,
    };
  }

  #bearer(headers, pairs) {
    if (pairs.some(([name]) => name === 'api_key')) throw rule('the API key belongs into Authorization: Bearer, not into the query');
    this.#checkKey(/^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]);
  }

  #metadata(id, model) {
    return {
      modelId: id,
      modelArchitecture: (model.type.model_type ?? 'yolov8n').replace(/[-_]?[nsmlx]$/, ''),
      modelVariant: model.type.model_variant,
      taskType: model.type.project_task_type ?? 'object-detection',
    };
  }

  async #offered(pairs, headers) {
    this.#bearer(headers, pairs);
    const id = pairs[0][1];
    const offer = this.#offers.get(id);
    if (!offer) throw new ApiError(404, `model ${id} has no packages`);
    return { id, offer, model: await this.#model(id) };
  }

  async #stat(pairs, headers) {
    this.#checkOrder(pairs, ['modelId']);
    const { id, offer, model } = await this.#offered(pairs, headers);
    return { modelMetadata: { ...this.#metadata(id, model), ...offer.metadata } };
  }

  async #package(id, model, { raw, packageId, manifest, trustedSource = true, files }, script) {
    if (raw !== undefined) return raw;
    const named = files ?? Object.fromEntries(model.files.filter((file) => file !== 'model_type.json').map((file) => [file, file]));
    return {
      type: 'external-model-package-v1',
      packageId: packageId ?? `onnx${id.replace(/[^A-Za-z0-9]/g, '')}`,
      packageManifest: merged({ type: 'onnx-model-package-v1', backendType: 'onnx', dynamicBatchSize: false, staticBatchSize: 1, quantization: 'fp32', opset: 9 }, manifest ?? {}),
      trustedSource,
      packageFiles: await Promise.all(Object.entries(named).map(async ([handle, file]) => ({
        fileHandle: handle,
        downloadUrl: this.#presign(id, file, script.expire),
        md5Hash: (await this.#digest(id, file)).toString('hex'),
      }))),
    };
  }

  async #weights(pairs, headers, script) {
    this.#checkOrder(pairs, ['modelId', 'modelId,pageSize', 'modelId,startAfter', 'modelId,pageSize,startAfter']);
    const { id, offer, model } = await this.#offered(pairs, headers);
    const query = new Map(pairs);
    const packages = offer.packages ?? [{}];
    const first = query.has('startAfter') ? Number(/^after-(\d+)$/.exec(query.get('startAfter'))?.[1]) : 0;
    if (!Number.isInteger(first) || first % offer.pageSize !== 0) throw rule('startAfter is not what nextPage said');
    const end = first + offer.pageSize;
    return { modelMetadata: {
      type: 'external-model-metadata-v1',
      ...this.#metadata(id, model),
      modelPackages: await Promise.all(packages.slice(first, end).map((each) => this.#package(id, model, each, script))),
      nextPage: end < packages.length ? `after-${end}` : undefined,
      ...offer.metadata,
    } };
  }

  async #digest(modelId, file) {
    const data = await this.#read(modelId, file);
    if (!this.#digests.has(data)) this.#digests.set(data, createHash('md5').update(data).digest());
    return this.#digests.get(data);
  }

  /** A file URL. Returns the answer and notes in `violations` what must never arrive here. */
  async file({ method, path, rawQuery, headers }, violations) {
    const apiHeaders = ['x-roboflow-inference-version', 'x-allow-chunked', 'authorization', 'x-roboflow-internal-service-secret',
      ...Object.keys(this.#options.extraHeaders).map((name) => name.toLowerCase())].filter((name) => name in headers);
    if (apiHeaders.length) violations.push(`${path}: the API's headers went to a storage host: ${apiHeaders.join(', ')}`);
    if (this.#options.apiKey && `${rawQuery} ${JSON.stringify(headers)}`.includes(this.#options.apiKey)) violations.push(`${path}: the API key went to a storage host`);

    const query = new URLSearchParams(rawQuery);
    const [signature, expires] = [query.get('X-Goog-Signature') ?? '', query.get('expires') ?? ''];
    const expected = this.#mac(path, expires);
    const valid = signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
    if (!valid) return storageError(403, 'SignatureDoesNotMatch', 'Access denied.');
    if (Number(expires) * 1000 < this.#options.now()) return storageError(403, 'ExpiredToken', 'The provided token has expired.');
    if (method !== 'GET' && method !== 'HEAD') return storageError(405, 'MethodNotAllowed', 'only GET and HEAD');

    const parts = path.slice('/files/'.length).split('/').map(decodeURIComponent);
    const file = parts.pop();
    const modelId = parts.join('/');
    const added = this.#added.get(`${modelId}/${file}`);
    let body;
    let md5;
    if (added) {
      body = bufferBody(added);
      md5 = await this.#digest(modelId, file);
    } else {
      if (!this.#dir || file !== basename(file) || parts.some((part) => part === '..')) return storageError(404, 'NoSuchKey', 'The specified key does not exist.');
      const full = join(this.#dir, modelId, file);
      const info = await stat(full).catch(() => null);
      if (!info?.isFile()) return storageError(404, 'NoSuchKey', 'The specified key does not exist.');
      body = fileBody(full, info.size);
      md5 = Buffer.from(await md5OfFile(full, info), 'hex');
    }
    const common = {
      etag: `"${md5.toString('hex')}"`,
      'x-goog-hash': `crc32c=AAAAAA==,md5=${md5.toString('base64')}`,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
    };
    const ifMatch = headers['if-match'];
    if (ifMatch && ifMatch !== '*' && ifMatch !== common.etag) return storageError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.');
    const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
    const headOnly = method === 'HEAD';
    if (!range) return { status: 200, headers: common, body, headOnly };
    const start = Number(range[1]);
    const end = range[2] === '' ? body.size : Math.min(body.size, Number(range[2]) + 1);
    if (start >= body.size || end <= start) return storageError(416, 'InvalidRange', 'The requested range cannot be satisfied.');
    return { status: 206, headers: { ...common, 'content-range': `bytes ${start}-${end - 1}/${body.size}` }, body, start, end, headOnly };
  }
}

function storageError(status, code, message) {
  return {
    status,
    headers: { 'content-type': 'application/xml; charset=UTF-8' },
    body: bufferBody(`<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${message}</Message></Error>`),
  };
}

export function apiErrorAnswer(error) {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: bufferBody(JSON.stringify({ message: error.message })),
  };
}
