// Counts the requests to DynamoDB of OpenAuth on its DynamoDB storage, and prints what bench/peers reads.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { issuer } from '@openauthjs/openauth';
import { DynamoStorage } from '@openauthjs/openauth/storage/dynamo';

const CLIENT_ID = 'benchmark';
const REDIRECT_URI = 'https://app.example.com/callback';

let calls = {};
const fetched = globalThis.fetch;
globalThis.fetch = async (request) => {
  const [, operation] = request.headers.get('x-amz-target').split('.');
  calls[operation] = (calls[operation] ?? 0) + 1;
  // It signs by the host's name, so that it has to be sent elsewhere afterwards.
  return fetched(process.env.ENDPOINT, { method: 'POST', headers: request.headers, body: await request.text() });
};

// Its logger writes to standard output, which is for the result alone.
const print = console.log;
console.log = () => {};

const storage = DynamoStorage({ table: process.env.TABLE });
const app = issuer({
  storage,
  subjects: {},
  providers: { none: { type: 'none', init() {} } },
  success: (response) => response.subject('user', { id: 'user' }),
});

async function token(fields) {
  const body = new URLSearchParams({ client_id: CLIENT_ID, ...fields });
  const response = await app.request('http://localhost/token', { method: 'POST', body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`The peer answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

async function code() {
  const value = randomUUID();
  const stored = {
    type: 'user',
    properties: { id: 'user' },
    subject: 'user:benchmark',
    redirectURI: REDIRECT_URI,
    clientID: CLIENT_ID,
    ttl: { access: 2592000, refresh: 31536000 },
  };
  await storage.set(['oauth:code', value], stored, new Date(Date.now() + 60000));
  return value;
}

const exchange = (value) => token({ grant_type: 'authorization_code', code: value, redirect_uri: REDIRECT_URI });
const operations = {
  code_exchange: [code, exchange],
  refresh: [
    async () => (await exchange(await code())).refresh_token,
    (refresh_token) => token({ grant_type: 'refresh_token', refresh_token }),
  ],
};

const found = {};
for (const [name, [prepare, run]] of Object.entries(operations)) {
  await run(await prepare()); // What is done but once is not counted: its keys are read or made.
  const prepared = await prepare();
  calls = {};
  await run(prepared);
  found[name] = { storage: { ...calls }, cpu_ms: null };
}

const { version } = JSON.parse(readFileSync('node_modules/@openauthjs/openauth/package.json'));
print(JSON.stringify({
  name: 'OpenAuth',
  versions: { OpenAuth: version },
  how: 'requests to DynamoDB by its own storage for that; it knows no clients and authenticates none, its access '
    + 'tokens are JWTs that nobody stores and nobody can revoke, and no write has a condition',
  operations: found,
}));
process.exit(0);
