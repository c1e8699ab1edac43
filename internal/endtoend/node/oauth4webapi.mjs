// oauth4webapi as an app in the browser uses it (a public client), and as an API
// does.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { Person } from './person.mjs'
import { check, report, settings } from './run.mjs'

const insecure = { [oauth.allowInsecureRequests]: true } // the issuer is on loopback
const { clients } = settings
const spa = { client_id: clients.spa.client_id }
const nobody = oauth.None()
const person = new Person()

let as, tokens

async function parametersOf(secrets, more = {}) {
  return {
    client_id: spa.client_id, response_type: 'code', redirect_uri: settings.redirect_uri, scope: settings.scope,
    state: secrets.state, nonce: secrets.nonce, code_challenge_method: 'S256',
    code_challenge: await oauth.calculatePKCECodeChallenge(secrets.verifier), ...more,
  }
}

function newSecrets() {
  return { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() }
}

function authorizationUrl(parameters) {
  const url = new URL(as.authorization_endpoint)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

async function redeem(client, authentication, callback, secrets, verifier = secrets.verifier) {
  const parameters = oauth.validateAuthResponse(as, client, callback, secrets.state)
  const response = await oauth.authorizationCodeGrantRequest(
    as, client, authentication, parameters, settings.redirect_uri, verifier, insecure,
  )
  const answer = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: secrets.nonce, requireIdToken: true,
  })
  await oauth.validateApplicationLevelSignature(as, response, insecure)
  return answer
}

await check('discovery', async () => {
  const issuer = new URL(settings.issuer)
  as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
  const other = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  assert.deepEqual(await oauth.processDiscoveryResponse(issuer, other), as)
  assert.equal(as.authorization_response_iss_parameter_supported, true)
})

await check('code', async () => {
  const secrets = newSecrets()
  const callback = await person.authorize(authorizationUrl(await parametersOf(secrets)))
  assert.equal(callback.searchParams.get('iss'), settings.issuer)
  tokens = await redeem(spa, nobody, callback, secrets)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  assert.equal(claims.iss, settings.issuer)
  assert.equal(claims.aud, spa.client_id)
})

await check('userinfo', async () => {
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const response = await oauth.userInfoRequest(as, spa, tokens.access_token, insecure)
  const info = await oauth.processUserInfoResponse(as, spa, sub, response)
  assert.equal(info.preferred_username, settings.username)
})

await check('JWT access token', async () => {
  const request = (token) => new Request(new URL('/posts', settings.api), { headers: { authorization: `Bearer ${token}` } })
  const claims = await oauth.validateJwtAccessToken(as, request(tokens.access_token), settings.api, insecure)
  assert.equal(claims.client_id, spa.client_id)
  assert.equal(claims.sub, oauth.getValidatedIdTokenClaims(tokens).sub)
  assert.ok(claims.scope.split(' ').includes('posts:add'))
  await assert.rejects(oauth.validateJwtAccessToken(as, request(tokens.access_token), 'https://other.example', insecure))
  // An ID token is no access token (RFC 9068 §4).
  await assert.rejects(oauth.validateJwtAccessToken(as, request(tokens.id_token), spa.client_id, insecure))
})

await check('wrong state', async () => {
  const secrets = newSecrets()
  const callback = await person.authorize(authorizationUrl(await parametersOf(secrets)))
  assert.throws(() => oauth.validateAuthResponse(as, spa, callback, oauth.generateRandomState()), oauth.OperationProcessingError)
})

await check('wrong issuer', async () => {
  const secrets = newSecrets()
  const callback = await person.authorize(authorizationUrl(await parametersOf(secrets)))
  callback.searchParams.set('iss', 'https://other.example')
  assert.throws(() => oauth.validateAuthResponse(as, spa, callback, secrets.state), oauth.OperationProcessingError)
  callback.searchParams.delete('iss')
  assert.throws(() => oauth.validateAuthResponse(as, spa, callback, secrets.state), oauth.OperationProcessingError)
})

await check('wrong verifier', async () => {
  const secrets = newSecrets()
  const callback = await person.authorize(authorizationUrl(await parametersOf(secrets)))
  await assert.rejects(redeem(spa, nobody, callback, secrets, oauth.generateRandomCodeVerifier()), (error) => {
    assert.ok(error instanceof oauth.ResponseBodyError)
    assert.equal(error.status, 400)
    assert.equal(error.error, 'invalid_grant')
    return true
  })
})

await check('errors by redirect', async () => {
  for (const [more, code] of [
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ scope: 'nothing:known' }, 'invalid_scope'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ prompt: 'none', max_age: '0' }, 'login_required'],
    [{ resource: 'https://other.example' }, 'invalid_target'],
  ]) {
    const secrets = newSecrets()
    const callback = await person.authorize(authorizationUrl(await parametersOf(secrets, more)))
    assert.throws(() => oauth.validateAuthResponse(as, spa, callback, secrets.state), (error) => {
      assert.ok(error instanceof oauth.AuthorizationResponseError, String(error))
      assert.equal(error.error, code)
      return true
    }, code)
  }
})

await check('refresh', async () => {
  const response = await oauth.refreshTokenGrantRequest(as, spa, nobody, tokens.refresh_token, insecure)
  const fresh = await oauth.processRefreshTokenResponse(as, spa, response)
  assert.notEqual(fresh.refresh_token, tokens.refresh_token)
  tokens = fresh
})

const api = { client_id: clients.api.client_id }
const apiSecret = oauth.ClientSecretBasic(clients.api.client_secret)

async function introspect(token) {
  const response = await oauth.introspectionRequest(as, api, apiSecret, token, insecure)
  return oauth.processIntrospectionResponse(as, api, response)
}

await check('introspection', async () => {
  const answer = await introspect(tokens.access_token)
  assert.equal(answer.active, true)
  assert.equal(answer.aud, settings.api)
  const response = await oauth.introspectionRequest(as, spa, nobody, tokens.access_token, insecure)
  await assert.rejects(oauth.processIntrospectionResponse(as, spa, response)) // a public client may not
})

await check('revocation', async () => {
  const revoke = async (token) =>
    oauth.processRevocationResponse(await oauth.revocationRequest(as, spa, nobody, token, insecure))
  await revoke(tokens.access_token)
  assert.deepEqual(await introspect(tokens.access_token), { active: false })
  await revoke(tokens.refresh_token)
  const response = await oauth.refreshTokenGrantRequest(as, spa, nobody, tokens.refresh_token, insecure)
  await assert.rejects(oauth.processRefreshTokenResponse(as, spa, response), { error: 'invalid_grant' })
})

async function push(client, authentication, secrets) {
  const parameters = await parametersOf(secrets, { client_id: client.client_id })
  const response = await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, insecure)
  const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, response)
  return authorizationUrl({ client_id: client.client_id, request_uri })
}

await check('PAR', async () => {
  const secrets = newSecrets()
  const url = await push(spa, nobody, secrets)
  const granted = await redeem(spa, nobody, await person.authorize(url), secrets)
  assert.ok(granted.refresh_token)
  await assert.rejects(person.authorize(url), /400/) // it was good for one code
})

await check('private_key_jwt', async () => {
  const key = await crypto.subtle.importKey('jwk', settings.ps256, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign'])
  const signed = { client_id: clients.signed_ps256.client_id }
  const authentication = oauth.PrivateKeyJwt({ key, kid: settings.ps256.kid })
  const secrets = newSecrets()
  const granted = await redeem(signed, authentication, await person.authorize(await push(signed, authentication, secrets)), secrets)
  const response = await oauth.refreshTokenGrantRequest(as, signed, authentication, granted.refresh_token, insecure)
  assert.ok((await oauth.processRefreshTokenResponse(as, signed, response)).access_token)
})

report()
