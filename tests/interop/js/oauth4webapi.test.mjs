// oauth4webapi, unmodified: it checks what the RFCs let a client check, and refuses the rest.
// SERVER is the server's URL; ACCOUNT and CLIENTS are JSON, as tests/interop/test_oauth4webapi.py says.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { authorize, connectDevice } from "./person.mjs";

const server = new URL(process.env.SERVER);
const account = JSON.parse(process.env.ACCOUNT);
const clients = JSON.parse(process.env.CLIENTS);
const options = { [oauth.allowInsecureRequests]: true };
const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";
let as;

before(async () => {
  const response = await oauth.discoveryRequest(server, { ...options, algorithm: "oauth2" });
  as = await oauth.processDiscoveryResponse(server, response);
});

test("the metadata says what a client must know before it starts", () => {
  assert.equal(as.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(as.response_types_supported, ["code"]);
  assert.deepEqual(as.code_challenge_methods_supported, ["S256"]);
  for (const grant of ["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE]) {
    assert.ok(as.grant_types_supported.includes(grant), grant);
  }
  for (const method of ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]) {
    assert.ok(as.token_endpoint_auth_methods_supported.includes(method), method);
  }
});

for (const [name, registered, authenticate] of [
  ["no authentication, as a public client", clients.public, () => oauth.None()],
  ["the secret in the body", clients.confidential, (client) => oauth.ClientSecretPost(client.client_secret)],
  ["HTTP Basic", clients.confidential, (client) => oauth.ClientSecretBasic(client.client_secret)],
  ["private_key_jwt", clients.signing, signWith],
]) {
  test(`a code with PKCE, by ${name}`, async () => {
    const tokens = await codeFlow(registered, await authenticate(registered));
    assert.equal(tokens.access_token.length, 40);
    assert.equal(tokens.token_type, "bearer");
    assert.equal(tokens.scope, "read");
    const answer = await api("GET", "/api/me", tokens.access_token);
    assert.equal((await answer.json()).user.email, account.email);
  });
}

test("a denial is an authorization response with iss, state and access_denied", async () => {
  const { url, state } = await authorizationRequest(clients.public);
  const back = await authorize(server, account, url, "deny");
  assert.throws(
    () => oauth.validateAuthResponse(as, clients.public, back, state),
    (error) => error instanceof oauth.AuthorizationResponseError && error.error === "access_denied",
  );
});

test("a code redeemed with another verifier is an invalid grant", async () => {
  const { url, state } = await authorizationRequest(clients.public);
  const back = await authorize(server, account, url);
  const parameters = oauth.validateAuthResponse(as, clients.public, back, state);
  const another = oauth.generateRandomCodeVerifier();
  const response = await redeem(clients.public, oauth.None(), parameters, another);
  await assert.rejects(oauth.processAuthorizationCodeResponse(as, clients.public, response), {
    error: "invalid_grant",
  });
});

test("a refresh rotates the token, and the new pair works", async () => {
  const first = await codeFlow(clients.public, oauth.None());
  const second = await refresh(first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await api("GET", "/api/me", second.access_token)).status, 200);
  const third = await refresh(second.refresh_token);
  assert.equal((await api("GET", "/api/me", third.access_token)).status, 200);
});

for (const [name, registered, authenticate] of [
  ["HTTP Basic", clients.confidential, (client) => oauth.ClientSecretBasic(client.client_secret)],
  ["private_key_jwt", clients.signing, signWith],
]) {
  test(`client credentials by ${name}`, async () => {
    const tokens = await clientCredentials(registered, await authenticate(registered), "read write");
    assert.equal(tokens.refresh_token, undefined);
    const answer = await api("POST", "/api/notes", tokens.access_token, JSON.stringify({ text: "Hello" }));
    assert.equal(answer.status, 201);
  });
}

test("a device waits for its user, gets tokens, and refreshes them", async () => {
  const device = await startDevice("read write");
  await assert.rejects(poll(device), { error: "authorization_pending" });
  await assert.rejects(poll(device), { error: "slow_down" });
  await connectDevice(server, account, device.verification_uri_complete);
  const tokens = await poll(device);
  assert.equal(tokens.scope, "read write");
  const answer = await api("GET", "/api/me", tokens.access_token);
  assert.equal((await answer.json()).user.email, account.email);
  const response = await oauth.refreshTokenGrantRequest(
    as,
    clients.device,
    oauth.None(),
    tokens.refresh_token,
    options,
  );
  const refreshed = await oauth.processRefreshTokenResponse(as, clients.device, response);
  assert.equal((await api("GET", "/api/me", refreshed.access_token)).status, 200);
});

test("a device that was denied is told so", async () => {
  const device = await startDevice("read");
  await connectDevice(server, account, device.verification_uri_complete, "deny");
  await assert.rejects(poll(device), { error: "access_denied" });
});

test("a wrong secret in HTTP Basic is challenged to try Basic", async () => {
  await assert.rejects(
    clientCredentials(clients.confidential, oauth.ClientSecretBasic("wrong"), "read"),
    (error) =>
      error instanceof oauth.WWWAuthenticateChallengeError &&
      error.status === 401 &&
      error.cause[0].scheme === "basic",
  );
});

test("a client assertion works once", async () => {
  const { key, kid } = await importKey(clients.signing);
  const repeat = { [oauth.modifyAssertion]: (_, payload) => (payload.jti = "always the same") };
  const authenticate = () => oauth.PrivateKeyJwt({ key, kid }, repeat);
  await clientCredentials(clients.signing, authenticate(), "read");
  await assert.rejects(clientCredentials(clients.signing, authenticate(), "read"), isUnauthorized);
});

test("a client assertion for another server is refused", async () => {
  const { key, kid } = await importKey(clients.signing);
  const elsewhere = { [oauth.modifyAssertion]: (_, payload) => (payload.aud = "https://elsewhere.example") };
  await assert.rejects(
    clientCredentials(clients.signing, oauth.PrivateKeyJwt({ key, kid }, elsewhere), "read"),
    isUnauthorized,
  );
});

test("the API challenges a token that is none", async () => {
  await assert.rejects(api("GET", "/api/me", "none"), isChallenge(401, "invalid_token"));
});

test("the API challenges a token with too little scope", async () => {
  const authentication = oauth.ClientSecretBasic(clients.confidential.client_secret);
  const { access_token } = await clientCredentials(clients.confidential, authentication, "read");
  await assert.rejects(api("POST", "/api/notes", access_token, "{}"), isChallenge(403, "insufficient_scope"));
});

test("a revoked access token is refused by the API", async () => {
  const { access_token } = await codeFlow(clients.public, oauth.None());
  await revoke(clients.public, oauth.None(), access_token);
  await assert.rejects(api("GET", "/api/me", access_token), isChallenge(401, "invalid_token"));
});

test("a revoked refresh token takes its access token with it", async () => {
  const { access_token, refresh_token } = await codeFlow(clients.public, oauth.None());
  await revoke(clients.public, oauth.None(), refresh_token);
  await assert.rejects(refresh(refresh_token), { error: "invalid_grant" });
  await assert.rejects(api("GET", "/api/me", access_token), isChallenge(401, "invalid_token"));
});

test("revoking what is no token is no error", async () => {
  await revoke(clients.public, oauth.None(), "none");
});

test("introspection tells an API whose token it is", async () => {
  const { access_token } = await codeFlow(clients.public, oauth.None());
  const told = await introspect(access_token);
  assert.equal(told.active, true);
  assert.equal(told.client_id, clients.public.client_id);
  assert.equal(told.scope, "read");
  assert.equal(told.token_type?.toLowerCase(), "bearer");
  assert.ok(told.exp > Date.now() / 1000);
});

test("introspection of a revoked token says inactive and no more", async () => {
  const { access_token } = await codeFlow(clients.public, oauth.None());
  await revoke(clients.public, oauth.None(), access_token);
  assert.deepEqual(await introspect(access_token), { active: false });
});

async function authorizationRequest(client) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: client.client_id,
    redirect_uri: client.redirect_uri,
    response_type: "code",
    scope: "read",
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  })) {
    url.searchParams.set(name, value);
  }
  return { url, verifier, state };
}

async function codeFlow(client, authentication) {
  const { url, verifier, state } = await authorizationRequest(client);
  const back = await authorize(server, account, url);
  assert.equal(`${back.origin}${back.pathname}`, client.redirect_uri);
  const parameters = oauth.validateAuthResponse(as, client, back, state);
  const response = await redeem(client, authentication, parameters, verifier);
  return oauth.processAuthorizationCodeResponse(as, client, response);
}

function redeem(client, authentication, parameters, verifier) {
  return oauth.authorizationCodeGrantRequest(
    as,
    client,
    authentication,
    parameters,
    client.redirect_uri,
    verifier,
    options,
  );
}

async function refresh(token) {
  const response = await oauth.refreshTokenGrantRequest(as, clients.public, oauth.None(), token, options);
  return oauth.processRefreshTokenResponse(as, clients.public, response);
}

async function clientCredentials(client, authentication, scope) {
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, { scope }, options);
  return oauth.processClientCredentialsResponse(as, client, response);
}

async function startDevice(scope) {
  const response = await oauth.deviceAuthorizationRequest(as, clients.device, oauth.None(), { scope }, options);
  return oauth.processDeviceAuthorizationResponse(as, clients.device, response);
}

async function poll(device) {
  const response = await oauth.deviceCodeGrantRequest(
    as,
    clients.device,
    oauth.None(),
    device.device_code,
    options,
  );
  return oauth.processDeviceCodeResponse(as, clients.device, response);
}

async function revoke(client, authentication, token) {
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, authentication, token, options),
  );
}

async function introspect(token) {
  const api = clients.resource_server;
  const authentication = oauth.ClientSecretBasic(api.client_secret);
  const response = await oauth.introspectionRequest(as, api, authentication, token, options);
  return oauth.processIntrospectionResponse(as, api, response);
}

function api(method, path, token, body) {
  const headers = new Headers(body ? { "content-type": "application/json" } : {});
  return oauth.protectedResourceRequest(token, method, new URL(path, server), headers, body, options);
}

async function importKey(client) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", client.private_jwk, algorithm, false, ["sign"]);
  return { key, kid: client.private_jwk.kid };
}

async function signWith(client) {
  return oauth.PrivateKeyJwt(await importKey(client));
}

function isUnauthorized(error) {
  return error.status === 401;
}

function isChallenge(status, code) {
  return (error) =>
    error instanceof oauth.WWWAuthenticateChallengeError &&
    error.status === status &&
    error.cause[0].scheme === "bearer" &&
    error.cause[0].parameters.error === code;
}
