// openid-client as an app with a server uses it.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { Person } from './person.mjs'
import { check, report, settings } from './run.mjs'

const { clients } = settings

// discover finds the issuer. Signatures of ID tokens are checked although they come
// straight from the issuer.
function discover(who, authentication) {
  return client.discovery(new URL(settings.issuer), who.client_id, {}, authentication, {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  })
}

async function signIn(config, person, build) {
  const verifier = client.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true,
  }
  const url = await build(config, {
    redirect_uri: settings.redirect_uri, scope: settings.scope, state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })
  return client.authorizationCodeGrant(config, await person.authorize(url), checks)
}

const privateKey = await crypto.subtle.importKey(
  'jwk', settings.es256, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'],
)
const signingKey = { key: privateKey, kid: settings.es256.kid }

let config, tokens
const person = new Person()

await check('discovery', async () => {
  config = await discover(clients.web, client.ClientSecretBasic(clients.web.client_secret))
  assert.equal(config.serverMetadata().issuer, settings.issuer)
  assert.ok(config.serverMetadata().supportsPKCE())
})

await check('code', async () => {
  tokens = await signIn(config, person, client.buildAuthorizationUrl)
  assert.equal(tokens.token_type, 'bearer')
  assert.ok(tokens.expiresIn() > 0 && tokens.expiresIn() <= 600)
  const claims = tokens.claims()
  assert.equal(claims.iss, settings.issuer)
  assert.equal(claims.aud, clients.web.client_id)
  assert.ok(claims.auth_time && claims.sid)
  assert.ok(tokens.scope.split(' ').includes('posts:add'))
  assert.ok(!tokens.scope.split(' ').includes('posts:delete'))
})

await check('userinfo', async () => {
  const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
  assert.equal(info.preferred_username, settings.username)
  assert.equal(info.email_verified, true)
})

await check('protected resource', async () => {
  const url = new URL('/posts', settings.api)
  const answer = await client.fetchProtectedResource(config, tokens.access_token, url, 'GET')
  assert.equal(answer.status, 200)
  const body = JSON.stringify({ title: 'From Node', body: '.' })
  const added = await client.fetchProtectedResource(
    config, tokens.access_token, url, 'POST', body, new Headers({ 'content-type': 'application/json' }),
  )
  assert.equal(added.status, 201)
})

await check('challenge', async () => {
  const url = new URL('/posts/1', settings.api)
  await assert.rejects(client.fetchProtectedResource(config, tokens.access_token, url, 'DELETE'), (error) => {
    assert.ok(error instanceof client.WWWAuthenticateChallengeError)
    assert.equal(error.status, 403)
    assert.equal(error.cause[0].parameters.error, 'insufficient_scope')
    return true
  })
})

await check('introspection by the client', async () => {
  const answer = await client.tokenIntrospection(config, tokens.access_token)
  assert.equal(answer.active, true)
  assert.equal(answer.client_id, clients.web.client_id)
  assert.equal((await client.tokenIntrospection(config, tokens.refresh_token)).active, true)
})

await check('introspection by the API', async () => {
  const api = await discover(clients.api, client.ClientSecretBasic(clients.api.client_secret))
  const answer = await client.tokenIntrospection(api, tokens.access_token)
  assert.equal(answer.active, true)
  assert.equal(answer.aud, settings.api)
  assert.equal(answer.username, undefined)
  assert.equal((await client.tokenIntrospection(api, tokens.refresh_token)).active, false)
})

await check('refresh', async () => {
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
  assert.notEqual(fresh.access_token, tokens.access_token)
  assert.notEqual(fresh.refresh_token, tokens.refresh_token)
  assert.equal(fresh.claims().sub, tokens.claims().sub)
  tokens = fresh
})

await check('revocation', async () => {
  await client.tokenRevocation(config, tokens.access_token)
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
  assert.equal((await client.tokenIntrospection(config, tokens.refresh_token)).active, true)
  await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' })
  assert.deepEqual(await client.tokenIntrospection(config, tokens.refresh_token), { active: false })
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' })
})

await check('PAR', async () => {
  tokens = await signIn(config, person, (...args) => client.buildAuthorizationUrlWithPAR(...args))
  assert.ok(tokens.refresh_token)
  assert.equal(person.passwordsTyped, 1) // the session was still there
})

await check('client_secret_post', async () => {
  const other = await discover(clients.web, client.ClientSecretPost(clients.web.client_secret))
  assert.equal((await client.tokenIntrospection(other, tokens.access_token)).active, true)
  const wrong = await discover(clients.web, client.ClientSecretPost('not the secret'))
  await assert.rejects(client.tokenIntrospection(wrong, tokens.access_token), (error) => {
    assert.equal(error.status ?? error.cause?.status, 401)
    return true
  })
})

await check('private_key_jwt', async () => {
  const signed = await discover(clients.signed_es256, client.PrivateKeyJwt(signingKey))
  const granted = await signIn(signed, person, client.buildAuthorizationUrlWithPAR)
  assert.equal(granted.claims().aud, clients.signed_es256.client_id)
  const fresh = await client.refreshTokenGrant(signed, granted.refresh_token)
  assert.equal((await client.tokenIntrospection(signed, fresh.access_token)).active, true)
  await client.tokenRevocation(signed, fresh.access_token)
  assert.equal((await client.tokenIntrospection(signed, fresh.access_token)).active, false)
})

await check('client credentials', async () => {
  const machine = await discover(clients.machine, client.ClientSecretBasic(clients.machine.client_secret))
  const granted = await client.clientCredentialsGrant(machine, { scope: 'posts:add', resource: settings.api })
  assert.equal(granted.scope, 'posts:add')
  assert.equal(granted.refresh_token, undefined)
  await assert.rejects(client.clientCredentialsGrant(machine, { scope: 'posts:delete' }), { error: 'invalid_scope' })
})

await check('end session', async () => {
  const state = client.randomState()
  const url = client.buildEndSessionUrl(config, {
    post_logout_redirect_uri: settings.post_logout_redirect_uri, id_token_hint: tokens.id_token, state,
  })
  const back = await person.authorize(url)
  assert.equal(back.href, `${settings.post_logout_redirect_uri}?state=${state}`)
  await signIn(config, person, client.buildAuthorizationUrl)
  assert.equal(person.passwordsTyped, 2)
})

report()
