// SPDX-License-Identifier: Apache-2.0
//
// Where S3 credentials come from. The S3 server is Ceph radosgw, which verifies every signature and session
// token, and is the STS of role chains; what gives out credentials otherwise is a stand-in that gives real ones,
// taken from Ceph's STS.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertNoSecrets, assertSoundTrace, hoist, hoistOk, jsonLines, named, tempDir } from '../lib/harness.mjs';
import { startAwsServices } from '../lib/aws_services.mjs';
import { sha256Hex, signRequest } from '../lib/sigv4.mjs';
import { rawRequest, startCeph } from '../servers/servers.mjs';
import { makeWorld, marker, modelFiles, modelId } from './world.mjs';

const world = await makeWorld(after);
const ceph = await startCeph({ sts: true });
after(() => ceph.stop());
await ceph.createBucket('models');
for (const [name, data] of Object.entries(modelFiles)) await ceph.upload('models', `${modelId}/${name}`, data);

// ---- a role of Ceph's, and credentials from it ---------------------------------------------------

const ROLE = 'arn:aws:iam:::role/reader';

async function ask(service, form) {
  const body = new URLSearchParams({ Version: '2011-06-15', ...form }).toString();
  const url = `${ceph.url}/`;
  const headers = signRequest({
    method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, accessKey: ceph.accessKey, secret: ceph.secret,
    service, payloadHash: sha256Hex(body), contentHashHeader: false,
  });
  const answer = await rawRequest({ url, method: 'POST', headers: { ...headers, 'content-length': String(body.length) }, body });
  assert.equal(answer.status, 200, answer.body.toString());
  return answer.body.toString();
}
const policy = (statement) => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
await ask('iam', { Action: 'CreateRole', RoleName: 'reader', Path: '/', AssumeRolePolicyDocument: policy({ Principal: { AWS: ['arn:aws:iam:::user/test'] }, Action: ['sts:AssumeRole'] }) });
await ask('iam', { Action: 'PutRolePolicy', RoleName: 'reader', PolicyName: 'read', PolicyDocument: policy({ Action: ['s3:Get*', 's3:List*'], Resource: 'arn:aws:s3:::*' }) });
const xml = await ask('sts', { Action: 'AssumeRole', RoleArn: ROLE, RoleSessionName: 'tests' });
const field = (name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)[1];
const temporary = { accessKey: field('AccessKeyId'), secret: field('SecretAccessKey'), sessionToken: field('SessionToken') };

const tokens = { webIdentity: `${marker}-web`, container: `${marker}-container`, metadata: `${marker}-metadata` };
const services = await startAwsServices({ credentials: temporary, tokens });
after(() => services.close());
const secrets = [marker, ceph.secret, temporary.secret, temporary.sessionToken];

// ---- hoist with credentials from somewhere -------------------------------------------------------

/** A home with these files in ~/.aws; returns the environment of a load from Ceph that finds no others. */
function setUp(t, { config, credentials, token, ...env } = {}) {
  const home = tempDir(t);
  mkdirSync(join(home, '.aws'));
  if (config) writeFileSync(join(home, '.aws/config'), config.replace('~', home));
  if (credentials) writeFileSync(join(home, '.aws/credentials'), credentials);
  if (token) writeFileSync(join(home, 'token'), `${token}\n`);
  services.reset();
  world.receiver.reset();
  const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' };
  return {
    home,
    env: world.env(join(home, 'cache'), {
      ...ceph.env('models'), ...none, HOIST_SOURCES: 's3', AWS_ENDPOINT_URL_STS: `${services.url}/sts`,
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replace('~', home)])),
    }),
  };
}

const webIdentity = { token: tokens.webIdentity, AWS_WEB_IDENTITY_TOKEN_FILE: '~/token', AWS_ROLE_ARN: ROLE };
const container = { token: tokens.container, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${services.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '~/token' };
const instance = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: services.url };
const prints = (version, key) => `credential_process = sh -c 'echo "{\\"Version\\":${version},\\"AccessKeyId\\":\\"${key}\\",\\"SecretAccessKey\\":\\"${temporary.secret}\\",\\"SessionToken\\":\\"${temporary.sessionToken}\\"}"; echo ${marker} >&2'\n`;
const keys = `aws_access_key_id = ${ceph.accessKey}\naws_secret_access_key = ${ceph.secret}\n`;
const roleChain = { credentials: `[base]\n${keys}`, config: `[profile dev]\nrole_arn = ${ROLE}\nsource_profile = base\nrole_session_name = hoist-tests\n`, AWS_PROFILE: 'dev', AWS_ENDPOINT_URL_STS: ceph.url };

const places = {
  environment: ['environment', { AWS_ACCESS_KEY_ID: temporary.accessKey, AWS_SECRET_ACCESS_KEY: temporary.secret, AWS_SESSION_TOKEN: temporary.sessionToken }, []],
  'web identity': ['web_identity', webIdentity, ['sts']],
  'keys of the default profile': ['profile', { credentials: `[default]\n${keys}` }, []],
  'keys of a named profile': ['profile', { config: `[profile dev]\n${keys}`, AWS_PROFILE: 'dev' }, []],
  'a role of a profile, from a real STS': ['assume_role', roleChain, []],
  'a token of a profile': ['web_identity', { token: tokens.webIdentity, config: `[default]\nrole_arn = ${ROLE}\nweb_identity_token_file = ~/token\n` }, ['sts']],
  'what a command prints': ['credential_process', { config: `[default]\n${prints(1, temporary.accessKey)}` }, []],
  'a container': ['container', container, ['container']],
  'an instance': ['instance_metadata', instance, ['token', 'role', 'keys']],
};

for (const [title, [provider, given, asked]] of Object.entries(places))
  test(`credentials from ${title} sign what Ceph accepts`, async (t) => {
    const { home, env } = setUp(t, given);
    const result = await hoistOk(['pull', modelId], { env, home });
    const spans = world.receiver.spans();
    assertSoundTrace(spans);
    const searches = named(spans, 'aws.credentials');
    assert.equal(searches.length, 1, 'one search for all requests');
    assert.equal(searches[0].attributes['aws.credentials.provider'], provider);
    assert.deepEqual(services.requests().map((request) => request.route), asked);
    assertNoSecrets(secrets, result, world.receiver.requests().map((r) => r.body), { dir: env.MODEL_CACHE_DIR });
  });

test('the path of a container is nowhere to be seen', async (t) => {
  const { home, env } = setUp(t, container);
  const result = await hoistOk(['pull', modelId], { env, home });
  const spans = world.receiver.spans();
  const [search] = named(spans, 'aws.credentials');
  const asked = spans.filter((span) => span.parentSpanId === search.spanId);
  assert.deepEqual(asked.map((span) => span.attributes['url.full']), [`${services.url}/REDACTED`]);
  const shown = await hoistOk(['config', '--json'], { env, home });
  assertNoSecrets(['/container'], result, shown, world.receiver.requests().map((r) => r.body));
});

// ---- what can go wrong ---------------------------------------------------------------------------

const failures = [
  ['no place applies', 4, /no AWS credentials: .*hoist doctor/, {}],
  ['the token is not the one', 4, /STS refuses role .*InvalidIdentityToken/, { ...webIdentity, token: 'another' }],
  ['the token is gone', 4, /the web identity token: .*gone/, { ...webIdentity, AWS_WEB_IDENTITY_TOKEN_FILE: '/gone' }],
  ['STS denies the role', 4, /AccessDenied \(no trust\); let the role's trust policy allow it/, webIdentity, { sts: { status: 403, body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no trust</Message></Error></ErrorResponse>' } }],
  ['STS fails', 5, /web_identity: role .*HTTP 500|500/, webIdentity, { sts: { status: 500 } }],
  ['STS talks nonsense', 7, /the answer of STS is not its XML/, webIdentity, { sts: { body: marker } }],
  ['STS does not answer', 6, /timeout|timed out|deadline/i, webIdentity, { sts: { delayMs: 60_000 } }, ['--timeout', '2']],
  ['STS cannot be reached', 5, /web_identity: role .*connection refused/, { ...webIdentity, AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9' }],
  ['a real STS does not know the role', 4, /STS refuses role arn:aws:iam:::role\/gone/, { ...roleChain, config: roleChain.config.replace('role/reader', 'role/gone') }],
  ['a real STS does not know the keys', 4, /STS refuses role/, { ...roleChain, credentials: roleChain.credentials.replace(ceph.secret, 'wrong') }],
  ['the profile is not there', 2, /there is no profile "gone"/, { AWS_PROFILE: 'gone' }],
  ['the profile logs in by SSO', 8, /aws configure export-credentials --profile default/, { config: '[default]\nsso_session = x\n' }],
  ['the file is broken', 2, /config, line 1: /, { config: 'nonsense\n' }],
  ['the command fails', 4, /credential_process failed \(exit status 3\)/, { config: `[default]\ncredential_process = sh -c 'echo ${marker} >&2; exit 3'\n` }],
  ['the command prints another version', 7, /"Version" is not 1/, { config: `[default]\n${prints(2, 'A')}` }],
  ['the container wants another token', 4, /container: 127\.0\.0\.1:\d+/, { ...container, token: 'another' }],
  ['the container fails', 5, /container: 127\.0\.0\.1:\d+/, container, { container: { status: 500 } }],
  ['the container talks nonsense', 7, /container: not a JSON object/, container, { container: { body: marker } }],
  ['the container gives what has expired', 4, /the credentials of container expired at 2001/, container, { container: { body: JSON.stringify({ AccessKeyId: 'A', SecretAccessKey: marker, Token: marker, Expiration: '2001-01-01T00:00:00Z' }) } }],
  ['the instance has no role', 4, /no AWS credentials/, instance, { role: { status: 404 } }],
  ['the metadata service is of version 1', 4, /no AWS credentials/, instance, { token: { status: 404 } }],
  ['the metadata service does not answer', 4, /no AWS credentials/, instance, { token: { delayMs: 60_000 } }],
  ['the role of the instance is broken', 4, /instance_metadata gives no credentials: Failed/, instance, { keys: { body: '{"Code":"Failed"}' } }],
];
for (const [title, rc, message, given, answers = {}, args = []] of failures)
  test(`${title}: exit status ${rc}, and why`, async (t) => {
    const { home, env } = setUp(t, { HOIST_MAX_ATTEMPTS: '2', ...given });
    Object.assign(services.answers, answers);
    const result = await hoist(['pull', modelId, ...args], { env, home });
    assert.equal(result.rc, rc, result.output);
    assert.match(result.stderr, message);
    assertNoSecrets(secrets, result, world.receiver.requests().map((r) => r.body));
  });

test('credentials that S3 does not accept are told as such', async (t) => {
  // The stand-in has AWS's error codes, which Ceph has not while it verifies session tokens.
  const { home, env } = setUp(t, { credentials: `[default]\naws_access_key_id = standinkey\naws_secret_access_key = wrong\naws_session_token = ${marker}-session\n` });
  const result = await hoist(['pull', modelId], { env: { ...env, AWS_ENDPOINT_URL_S3: world.origin.url }, home });
  assert.equal(result.rc, 4, result.output);
  assert.match(result.stderr, /SignatureDoesNotMatch/);
  assertNoSecrets(secrets, result);
});

// ---- renewing ------------------------------------------------------------------------------------

const standIn = { accessKey: 'standinkey', secret: `${marker}-s3secret`, sessionToken: `${marker}-session` };

/** The stand-in origin, whose answers can be scripted, and a container whose credentials are `credentials`. */
async function renewing(t, credentials, lifeS) {
  const giver = await startAwsServices({ credentials, lifeS, tokens });
  t.after(() => giver.close());
  const { home } = setUp(t, container);
  world.origin.reset();
  const env = world.env(join(home, 'cache'), {
    HOIST_SOURCES: 's3', AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${giver.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(home, 'token'),
  });
  return { giver, home, env };
}

test('credentials are renewed before they expire, while a download goes on', async (t) => {
  const { giver, home, env } = await renewing(t, standIn, 4);
  world.origin.putModel('later/1', modelFiles);
  world.origin.script([{ path: 'faces/1/weights\\.onnx', drip: { bytes: 20_000, ms: 100 } }]);
  const result = await hoistOk(['pull', modelId, 'later/1'], { env, home });
  assert.equal(giver.requests('container').length, 2, 'once at the beginning, once at half of their life');
  const [first, second] = named(world.receiver.spans(), 'aws.credentials');
  assert.ok(Number(second.startNs - first.startNs) / 1e9 >= 1.5 && Number(second.startNs - first.startNs) / 1e9 < 4);
  assertNoSecrets([marker], result, world.receiver.requests().map((r) => r.body));
});

const expired = { method: 'GET', path: '/models', status: 400, body: '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>' };

test('credentials that S3 calls expired are renewed once, and the request goes on', async (t) => {
  const { giver, home, env } = await renewing(t, (n) => (n === 0 ? { ...standIn, accessKey: 'oldkey' } : standIn));
  world.origin.script([expired]);
  await hoistOk(['pull', modelId], { env, home });
  assert.equal(giver.requests('container').length, 2);
  assert.equal(named(world.receiver.spans(), 'aws.credentials').length, 2);
});

test('credentials that have expired again are the end', async (t) => {
  const { giver, home, env } = await renewing(t, (n) => ({ ...standIn, accessKey: `key${n}` }));
  world.origin.script([{ ...expired, times: 0 }]);
  const result = await hoist(['pull', modelId], { env, home });
  assert.equal(result.rc, 4, result.output);
  assert.match(result.stderr, /the session token has expired/);
  assert.equal(giver.requests('container').length, 2);
});

// ---- nothing is signed ---------------------------------------------------------------------------

test('HOIST_S3_ANONYMOUS signs nothing and asks nobody', async (t) => {
  const { home, env } = setUp(t, container);
  world.origin.reset();
  const result = await hoist(['pull', modelId], { env: { ...env, ...world.origin.env(), HOIST_S3_ANONYMOUS: 'true' }, home });
  assert.equal(result.rc, 4, result.output); // the stand-in wants a signature
  assert.match(result.stderr, /not readable without credentials/);
  for (const request of world.origin.requests()) assert.equal(request.headers.authorization, undefined);
  assert.equal(services.requests().length, 0);
});

// ---- the doctor ----------------------------------------------------------------------------------

const shortened = (key) => `${key.slice(0, 4)}…${key.slice(-4)}`;

test('the doctor tells of each place', async (t) => {
  const { home, env } = setUp(t, container);
  const result = await hoist(['doctor'], { env, home });
  const lines = result.stdout.split('\n').filter((line) => line.includes('aws '));
  assert.equal(lines.length, 5, result.stdout);
  assert.deepEqual(lines.map((line) => line.split(/ +/)[0]), ['–', '–', '–', '✓', '–']);
  assert.match(lines[0], /aws environment +does not apply: AWS_ACCESS_KEY_ID is not set/);
  assert.match(lines[1], /aws web identity +does not apply: AWS_WEB_IDENTITY_TOKEN_FILE is not set/);
  assert.match(lines[2], /aws profile +does not apply: there is no profile "default" in .*\.aws\/config or /);
  assert.match(lines[3], new RegExp(`aws container +gives key ${shortened(temporary.accessKey)} until 20..-..-..T..:..:..Z \\(container\\)`));
  assert.match(lines[4], /aws instance +is not asked: container comes first/);
  assert.match(result.stdout, /source s3 +s3:\/\/models\/ answers/);
  assertNoSecrets([...secrets, temporary.accessKey], result);
});

test('the doctor tells of each place in JSON, and what failed', async (t) => {
  const { home, env } = setUp(t, { ...webIdentity, token: 'another' });
  const result = await hoist(['doctor', '--json'], { env, home });
  assert.equal(result.rc, 4, result.output);
  const [{ findings }] = jsonLines(result.stdout);
  const of = (place) => findings.find((finding) => finding.subject === `aws ${place}`);
  assert.equal(of('environment').status, 'skipped');
  assert.equal(of('web identity').status, 'denied');
  assert.match(of('web identity').detail, /STS refuses role .*InvalidIdentityToken/);
  assert.match(of('profile').detail, /is not asked: web identity comes first/);
  assertNoSecrets(secrets, result);
});

for (const [title, given, message] of [
  ['a broken file of AWS', { config: 'nonsense\n' }, /config, line 1: /],
  ['a key without its secret', { AWS_ACCESS_KEY_ID: 'AKIAONLY' }, /AWS_SECRET_ACCESS_KEY/],
])
  test(`${title} concerns only what is asked of S3`, async (t) => {
    const { home, env } = setUp(t, { AWS_ACCESS_KEY_ID: ceph.accessKey, AWS_SECRET_ACCESS_KEY: ceph.secret });
    await hoistOk(['pull', modelId, '-q'], { env, home });
    const broken = { ...setUp(t, given).env, MODEL_CACHE_DIR: env.MODEL_CACHE_DIR };
    const at = { env: broken, home };
    if (given.config) writeFileSync(join(home, '.aws/config'), given.config);
    await hoistOk(['pull', modelId, '-q'], at);
    await hoistOk(['ls'], at);
    await hoistOk(['verify', modelId], { ...at, env: { ...broken, OFFLINE_MODE: 'true' } });
    const asked = await hoist(['pull', 'other/1'], at);
    assert.equal(asked.rc, 2, asked.output);
    assert.match(asked.stderr, message);
    const [{ findings }] = jsonLines((await hoist(['doctor', '--json'], at)).stdout);
    const source = findings.find((finding) => finding.subject === 'source s3');
    assert.equal(source.status, 'invalid');
    assert.match(source.detail, message);
    assert.ok(findings.some((finding) => finding.subject === 'onnxruntime'), 'it goes on with the rest');
  });

test('the doctor says that nothing is signed', async (t) => {
  const { home, env } = setUp(t, {});
  const result = await hoist(['doctor', '--json'], { env: { ...env, HOIST_S3_ANONYMOUS: '1' }, home });
  const found = jsonLines(result.stdout)[0].findings.filter((finding) => finding.subject.startsWith('aws'));
  assert.deepEqual(found.map((finding) => finding.detail), ['requests are not signed: HOIST_S3_ANONYMOUS is set']);
});

// ---- what else a profile says --------------------------------------------------------------------

test('region, endpoint and addressing come from the profile', async (t) => {
  const { home, env } = setUp(t, { config: `[default]\nregion = eu-west-1\nservices = mine\n${keys}s3 =\n  addressing_style = path\n[services mine]\ns3 =\n  endpoint_url = ${ceph.url}\n` });
  const { AWS_REGION, AWS_ENDPOINT_URL_S3, ...rest } = env;
  assert.ok(AWS_REGION && AWS_ENDPOINT_URL_S3);
  await hoistOk(['pull', modelId], { env: rest, home });
  const [listed] = named(world.receiver.spans(), 'S3.ListObjectsV2');
  assert.equal(listed.attributes['cloud.region'], 'eu-west-1');
  assert.match(listed.attributes['url.full'], /^http:\/\/127\.0\.0\.1:\d+\/models\?/);
});
