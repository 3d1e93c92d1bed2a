// SPDX-License-Identifier: Apache-2.0
//
// Stand-ins for the services that give out AWS credentials, in one server on loopback: STS (any role), a
// container agent, and the metadata service of EC2 instances, version 2. They hold to the protocol: what is
// asked wrongly is refused.

import http from 'node:http';

const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/**
 * `credentials`: {accessKey, secret, sessionToken}, or a function of the number of times they were given
 * out; `lifeS`: how long they are good. `tokens`: what they want to be shown.
 * `answers`: {sts | container | token | role | keys: {status, body, delayMs}} instead of the proper answer.
 */
export async function startAwsServices({
  credentials, lifeS = 3600, tokens = { webIdentity: 'web-identity', container: 'container', metadata: 'metadata' },
} = {}) {
  const requests = [];
  const answers = {};
  let given = 0;
  const give = () => ({ ...(typeof credentials === 'function' ? credentials(given) : credentials), expires: iso(Date.now() + lifeS * 1000), n: given++ });
  const json = () => {
    const c = give();
    return JSON.stringify({ Code: 'Success', AccessKeyId: c.accessKey, SecretAccessKey: c.secret, Token: c.sessionToken, Expiration: c.expires });
  };

  const routes = {
    sts(request) {
      const form = new URLSearchParams(request.body);
      if (form.get('Action') === 'AssumeRoleWithWebIdentity' && form.get('WebIdentityToken') !== tokens.webIdentity) {
        return { status: 400, body: '<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>wrong token</Message></Error></ErrorResponse>' };
      }
      if (!form.get('RoleArn') || !form.get('RoleSessionName')) return { status: 400, body: '<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>' };
      const c = give();
      return { body: `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${c.accessKey}</AccessKeyId><SecretAccessKey>${c.secret}</SecretAccessKey>`
        + `<SessionToken>${c.sessionToken}</SessionToken><Expiration>${c.expires}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>` };
    },
    container: (request) => (request.headers.authorization === tokens.container ? { body: json() } : { status: 401 }),
    token: (request) => (request.method === 'PUT' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'] ? { body: tokens.metadata } : { status: 400 }),
    role: (request) => (request.headers['x-aws-ec2-metadata-token'] === tokens.metadata ? { body: 'instance-role' } : { status: 401 }),
    keys: (request) => (request.headers['x-aws-ec2-metadata-token'] === tokens.metadata ? { body: json() } : { status: 401 }),
  };
  const routeOf = (request) => ({
    '/sts': 'sts', '/container': 'container', '/latest/api/token': 'token',
    '/latest/meta-data/iam/security-credentials/': 'role', '/latest/meta-data/iam/security-credentials/instance-role': 'keys',
  })[request.url];

  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const request = { method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(chunks).toString() };
    const route = routeOf(request);
    requests.push({ ...request, route });
    const answer = answers[route] ?? routes[route]?.(request) ?? { status: 404 };
    setTimeout(() => { res.statusCode = answer.status ?? 200; res.end(answer.body ?? ''); }, answer.delayMs ?? 0);
  });
  await new Promise((ok) => { server.listen(0, '127.0.0.1', ok); });
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    answers,
    requests: (route) => requests.filter((request) => !route || request.route === route),
    reset() { requests.length = 0; given = 0; for (const route of Object.keys(answers)) delete answers[route]; },
    close: () => new Promise((ok) => { server.close(ok); server.closeAllConnections(); }),
  };
}
