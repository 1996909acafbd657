// Counts the calls that oidc-provider makes to its storage adapter, and prints what bench/peers reads.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const CLIENT_ID = 'benchmark';
const CLIENT_SECRET = 's'.repeat(43);
const REDIRECT_URI = 'https://app.example.com/callback';
const VERIFIER = 'v'.repeat(43);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
const SCOPE = 'openid offline_access';

let calls = {};
const rows = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  count(what) {
    calls[what] = (calls[what] ?? 0) + 1;
  }

  async upsert(id, payload) {
    this.count('upsert');
    rows.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    this.count('find');
    return rows.get(`${this.model}:${id}`);
  }

  async findByUid(uid) {
    this.count('findByUid');
    return [...rows].find(([key, row]) => key.startsWith(`${this.model}:`) && row.uid === uid)?.[1];
  }

  async findByUserCode(userCode) {
    this.count('findByUserCode');
    return [...rows].find(([key, row]) => key.startsWith(`${this.model}:`) && row.userCode === userCode)?.[1];
  }

  async consume(id) {
    this.count('consume');
    rows.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.count('destroy');
    rows.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    this.count('revokeByGrantId');
    for (const [key, row] of rows) if (row.grantId === grantId) rows.delete(key);
  }
}

rows.set(`Client:${CLIENT_ID}`, {
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic',
});

// The provider warns of its development keys; standard output is for the result alone.
console.info = console.warn = () => {};
const provider = new Provider('http://localhost', {
  adapter: Adapter,
  scopes: ['openid', 'offline_access'],
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
  },
  rotateRefreshToken: true,
});

const server = provider.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

async function post(path, fields) {
  const authorization = `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')}`;
  const response = await fetch(origin + path, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
  });
  return checked(response);
}

async function checked(response) {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`The peer answered ${response.status}: ${text}`);
  return text ? JSON.parse(text) : {};
}

async function code() {
  const grant = new provider.Grant({ accountId: 'user', clientId: CLIENT_ID });
  grant.addOIDCScope(SCOPE);
  const grantId = await grant.save();
  const issued = new provider.AuthorizationCode({
    accountId: 'user',
    client: await provider.Client.find(CLIENT_ID),
    grantId,
    scope: SCOPE,
    redirectUri: REDIRECT_URI,
    codeChallenge: CHALLENGE,
    codeChallengeMethod: 'S256',
    gty: 'authorization_code',
    sessionUid: randomBytes(8).toString('hex'),
    authTime: Math.floor(Date.now() / 1000),
  });
  return issued.save();
}

const exchange = (value) => post('/token', {
  grant_type: 'authorization_code', code: value, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER,
});
const about = (token) => ({ token, token_type_hint: 'access_token' });
const tokens = async () => exchange(await code());

const operations = {
  client_credentials: [async () => undefined, () => post('/token', { grant_type: 'client_credentials' })],
  code_exchange: [code, exchange],
  refresh: [
    async () => (await tokens()).refresh_token,
    (token) => post('/token', { grant_type: 'refresh_token', refresh_token: token }),
  ],
  bearer: [
    async () => (await tokens()).access_token,
    async (token) => checked(await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${token}` } })),
  ],
  introspection: [async () => (await tokens()).access_token, (token) => post('/token/introspection', about(token))],
  revocation: [async () => (await tokens()).access_token, (token) => post('/token/revocation', about(token))],
};

const found = {};
for (const [name, [prepare, run]] of Object.entries(operations)) {
  await run(await prepare()); // What is done but once is not counted.
  const prepared = await prepare();
  calls = {};
  await run(prepared);
  found[name] = { storage: { ...calls }, cpu_ms: null };
}
server.close();

const { version } = JSON.parse(readFileSync('node_modules/oidc-provider/package.json'));
console.log(JSON.stringify({
  name: 'oidc-provider',
  versions: { 'oidc-provider': version },
  how: 'calls of its storage adapter, with clients in it, opaque tokens, refresh tokens that rotate and PKCE; '
    + 'the token is checked by its userinfo endpoint; one call may be several requests of an adapter, '
    + 'most of all revokeByGrantId',
  operations: found,
}));
process.exit(0);
