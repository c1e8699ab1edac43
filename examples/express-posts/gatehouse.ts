// Guards routes by access tokens of Gatehouse, and follows its ledger.
//
// A token is believed when its signature, type, issuer, audience and times are
// right and nothing in the ledger takes it back. The ledger is kept in memory
// (docs/wire.md), so that no request waits for Gatehouse. While nothing has been
// heard from Gatehouse for ten seconds, each token is asked about (introspection),
// and if nobody answers, the request is refused with 503.

import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import type { NextFunction, Request, RequestHandler, Response as Answer } from 'express'
import { createRemoteJWKSet, errors, jwksCache, jwtVerify, type ExportedJWKSCache, type JWKSCacheInput, type JWTVerifyGetKey } from 'jose'

import { Late, leeway, Ledger, OutOfStep, tokenOf, whole, type Json, type Token } from './ledger.js'

const silence = 6000 // milliseconds; a stream without a frame for this long is dead
const maxLifetime = 3600 // seconds
const [maxToken, maxDocument, maxEvent, maxSnapshot] = [16 << 10, 256 << 10, 8 << 20, 256 << 20]
const algorithms = ['ES256', 'EdDSA', 'PS256', 'RS256'] // no symmetric one
const clock = { steady: () => performance.now(), wall: () => Date.now() }

// Stale says what happens to a request while the ledger is not fresh.
export type Stale = 'introspect' | 'deny'

export interface Settings {
  issuer: string
  audience: string // as in `gatehouse api create --audience`
  clientID: string // which that command printed
  clientSecret: string
}

// Refused says why a request may not pass: a status and an error of RFC 6750.
class Refused extends Error {
  constructor(readonly status: number, readonly code: string, description: string, options?: ErrorOptions) {
    super(description, options)
  }
}

// Unexpected is an answer with another status than asked for.
class Unexpected extends Error {
  constructor(readonly status: number, readonly retryAfter: number) {
    super(`the issuer answered ${status}`)
  }
}

const revoked = 'the access token was revoked'
const reasons: Record<string, string> = {
  sid: 'the session has ended', gid: 'the app was disconnected', kid: 'the signing key was withdrawn',
  scope: 'permissions have changed, refresh the token', sub: 'permissions have changed, refresh the token',
  floor: 'the token is from too long ago, refresh it', all: 'all tokens were revoked, refresh it',
}

// Gatehouse verifies the access tokens of one API.
export class Gatehouse {
  #settings: Settings
  #issuer: string // without a slash at its end
  #basic: string
  #metadata?: Promise<Json>
  #keys?: ReturnType<typeof createRemoteJWKSet>
  #set: JWKSCacheInput = {} // what #keys has fetched, and when
  #proven = new Set<string>() // ids of keys that were good once
  #missed = -Infinity // when a key was asked for that is not there
  #access = { token: '', until: -Infinity } // for the feed
  #answers = new Map<string, { active: Promise<boolean>; at: number }>() // of introspection
  #ledger?: Ledger
  #retry = 0
  #tokens = new WeakMap<Request, Token>()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#issuer = settings.issuer.replace(/\/$/, '')
    const pair = [settings.clientID, settings.clientSecret].map((s) => new URLSearchParams({ s }).toString().slice(2))
    this.#basic = 'Basic ' + Buffer.from(pair.join(':')).toString('base64')
  }

  // start follows the ledger for as long as the process lives.
  start(): void {
    void this.#follow()
    void this.#report()
  }

  // Requests to the issuer.

  async #send(url: string, init: RequestInit): Promise<Response> {
    const { protocol, hostname } = new URL(url)
    if (protocol !== 'https:' && !(protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))) {
      throw new Error('the issuer must be https, or http on loopback')
    }
    // What comes from where a redirect points is not the issuer's.
    const response = await fetch(url, { ...init, redirect: 'manual' })
    if (response.status === 200) return response
    await response.body?.cancel()
    throw new Unexpected(response.status, Number(response.headers.get('retry-after')) || 0)
  }

  async #document(url: string, init: RequestInit = {}, most = maxDocument): Promise<Json> {
    const response = await this.#send(url, { signal: AbortSignal.timeout(most > maxDocument ? 60_000 : 5000), ...init })
    const parts: Uint8Array[] = []
    let size = 0
    for await (const part of response.body!) {
      size += part.length
      if (size > most) throw new Error('the answer is too long')
      parts.push(part)
    }
    return JSON.parse(Buffer.concat(parts).toString()) as Json
  }

  async #endpoint(name: string): Promise<string> {
    this.#metadata ??= this.#document(this.#issuer + '/.well-known/openid-configuration')
    try {
      const metadata = await this.#metadata
      if (metadata['issuer'] !== this.#settings.issuer) throw new Error('metadata of another issuer')
      return String(metadata[name])
    } catch (error) {
      this.#metadata = undefined
      throw error
    }
  }

  async #ask(endpoint: string, form: Record<string, string>): Promise<Json> {
    const url = await this.#endpoint(endpoint)
    return this.#document(url, { method: 'POST', headers: { authorization: this.#basic }, body: new URLSearchParams(form) })
  }

  async #bearer(): Promise<{ authorization: string }> {
    if (clock.steady() > this.#access.until) {
      const form = { grant_type: 'client_credentials', scope: 'revocations:read', resource: this.#settings.issuer }
      const answer = await this.#ask('token_endpoint', form)
      this.#access = { token: String(answer['access_token']), until: clock.steady() + (whole(answer, 'expires_in') - 30) * 1000 }
    }
    return { authorization: `Bearer ${this.#access.token}` }
  }

  // Following the ledger.

  async #follow(): Promise<void> {
    let [ledger, pause]: [Ledger | undefined, number] = [undefined, 200]
    for (;;) {
      try {
        if (!ledger) {
          const [headers, requested] = [await this.#bearer(), clock.steady()]
          const known = this.#ledger ? `?${new URLSearchParams({ after: this.#ledger.cursor, complete: 'true' })}` : ''
          const snapshot = await this.#document(this.#issuer + '/revocations' + known, { headers }, maxSnapshot)
          ledger = new Ledger(snapshot, requested, clock.steady(), clock, this.#ledger)
          this.#ledger = ledger // in one step: requests see the old ledger or this one
        }
        for await (const { event, data, cursor } of this.#events(ledger)) {
          const frame = JSON.parse(data) as Json
          if (event === 'reset' && frame['v'] === 1 && frame['reason'] !== 'timeline') {
            ledger = undefined // what is known stays true, it only cannot be continued
            break
          }
          if (event !== 'rows' && event !== 'head') throw new OutOfStep(`event ${event}: ${data.slice(0, 200)}`)
          ledger.apply(frame, cursor, clock.steady())
          pause = 200
        }
      } catch (error) {
        if (error instanceof Unexpected) {
          console.warn(`the feed answered ${error.status}`)
          if (error.status === 401) this.#access.until = -Infinity
          else if (error.status < 500 && error.status !== 429) ledger = undefined
          if (error.status === 403 || error.status === 404) pause = 30_000
        } else if (error instanceof OutOfStep || error instanceof SyntaxError) {
          console.warn(`following anew: ${error}`)
          this.#ledger?.distrust() // stale until there is a new snapshot
          ledger = undefined
        } else {
          console.info(`connection to the feed lost: ${error}`)
          if (!(error instanceof Late) && !isNetwork(error)) ledger = undefined
        }
      }
      await sleep(this.#retry + pause * (0.5 + Math.random()))
      pause = Math.min(pause * 2, 10_000)
    }
  }

  // #events yields each server-sent event until the stream ends.
  async *#events(ledger: Ledger): AsyncGenerator<{ event: string; data: string; cursor: string }> {
    const headers = { ...(await this.#bearer()), accept: 'text/event-stream', 'last-event-id': ledger.cursor }
    const dead = new AbortController()
    let timer = setTimeout(() => dead.abort(), silence)
    ledger.connect(clock.steady())
    try {
      const response = await this.#send(this.#issuer + '/revocations/stream', { headers, signal: dead.signal })
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) throw new OutOfStep('no stream of events')
      const decoder = new TextDecoder()
      let buffer = ''
      for await (const part of response.body!) {
        buffer += decoder.decode(part, { stream: true })
        const blocks = buffer.split(/\r?\n\r?\n/)
        buffer = blocks.pop() ?? ''
        if (buffer.length > maxEvent) throw new OutOfStep('an event is too long')
        for (const block of blocks) {
          const fields = readFields(block)
          if (fields.has('retry')) this.#retry = Math.min(Number.parseInt(fields.get('retry')!, 10) || 0, 30_000)
          const data = fields.get('data')
          if (data === undefined) continue
          clearTimeout(timer)
          timer = setTimeout(() => dead.abort(), silence)
          yield { event: fields.get('event') ?? '', data, cursor: fields.get('id') ?? ledger.cursor }
        }
      }
    } finally {
      clearTimeout(timer)
      dead.abort()
    }
  }

  // #report tells what was applied, for those who want a receipt. Failures do not
  // matter.
  async #report(): Promise<void> {
    const instance = randomBytes(8).toString('hex')
    for (let after = 5; ; ) {
      await sleep(after * 1000 * (1 + Math.random() / 5))
      if (!this.#ledger) continue
      const now = clock.steady()
      const lag = Math.round(Math.min(Math.max(this.#ledger.lag(now), 0), 86_400_000))
      const state = this.#ledger.fresh(now) ? 'fresh' : 'stale'
      try {
        const headers = { ...(await this.#bearer()), 'content-type': 'application/json' }
        const body = JSON.stringify({ instance, cursor: this.#ledger.cursor, state, lag })
        const answer = await this.#document(this.#issuer + '/revocations/position', { method: 'POST', headers, body })
        after = Math.min(Math.max(whole(answer, 'report_after'), 5), 3600)
      } catch (error) {
        // The next one may do better.
        if (error instanceof Unexpected && error.retryAfter > 0) after = Math.min(Math.max(error.retryAfter, 5), 3600)
      }
    }
  }

  // Deciding.

  // verify returns what a token says, or throws Refused. The ledger is asked each
  // time.
  async verify(raw: string, stale: Stale = 'introspect'): Promise<Token> {
    const token = await this.#read(raw)
    const why = this.#ledger?.refuses(token)
    if (why) throw new Refused(401, 'invalid_token', reasons[why] ?? revoked)
    if (this.#ledger?.fresh(clock.steady())) return token
    if (stale === 'deny') throw new Refused(503, 'temporarily_unavailable', 'what was revoked is not known at the moment')
    if (await this.#active(raw)) return token
    throw new Refused(401, 'invalid_token', revoked)
  }

  // #read checks all that can be checked without the ledger.
  async #read(raw: string): Promise<Token> {
    try {
      if (raw.length > maxToken) throw new errors.JWTInvalid('too long')
      this.#keys ??= createRemoteJWKSet(new URL(await this.#endpoint('jwks_uri')), {
        cooldownDuration: 1000, cacheMaxAge: 300_000, timeoutDuration: 5000, [jwksCache]: this.#set,
      })
      const { payload, protectedHeader } = await jwtVerify(raw, this.#key, {
        algorithms, typ: 'at+jwt', issuer: this.#settings.issuer, audience: this.#settings.audience,
        clockTolerance: leeway, requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti', 'client_id'],
      })
      const token = checked(payload, protectedHeader.kid)
      this.#proven.add(protectedHeader.kid!)
      return token
    } catch (error) {
      if (error instanceof Refused) throw error
      // What jose could not decide is no reason to send the app away for a new token.
      const undecided = !(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout ||
        error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
      if (undecided) throw new Refused(503, 'temporarily_unavailable', "the issuer's keys cannot be had", { cause: error })
      throw new Refused(401, 'invalid_token', 'the access token is not valid', { cause: error })
    }
  }

  // #key finds a token's key. One that is not known may be new, and the issuer is
  // asked, but for made-up ones only each ten seconds: what cannot be known until
  // then is not called invalid, unless the key was there before.
  #key: JWTVerifyGetKey = async (header, token) => {
    const [keys, now] = [this.#keys!, clock.steady()]
    const { jwks, uat = 0 } = this.#set as Partial<ExportedJWKSCache>
    if (jwks && !keys.reloading && header.kid && !jwks.keys.some((key) => key.kid === header.kid)) {
      if (now - this.#missed > 10_000) this.#missed = now
      else if (this.#proven.has(header.kid)) throw new errors.JWKSNoMatchingKey()
      else if (clock.wall() - uat > 1000) throw new Refused(503, 'temporarily_unavailable', "the issuer's keys cannot be had")
    }
    return keys(header, token)
  }

  // #active asks the issuer about a token; an answer counts for five seconds, and
  // those who ask at the same time share it.
  async #active(raw: string): Promise<boolean> {
    const [name, now] = [createHash('sha256').update(raw).digest('base64url'), clock.steady()]
    let known = this.#answers.get(name)
    if (!known || now - known.at > 5000) {
      if (this.#answers.size >= 10_000) this.#answers.clear()
      known = { at: now, active: this.#ask('introspection_endpoint', { token: raw }).then((a) => a['active'] === true) }
      this.#answers.set(name, known)
    }
    try {
      return await known.active
    } catch (error) {
      this.#answers.delete(name)
      throw new Refused(503, 'temporarily_unavailable', 'the issuer does not answer', { cause: error })
    }
  }

  // For routes.

  // requireLogin lets requests with a valid token pass, whatever it permits.
  requireLogin(stale?: Stale): RequestHandler {
    return this.requirePermission([], stale)
  }

  // requirePermission lets requests pass whose token carries all of the permissions.
  requirePermission(permissions: string | string[], stale?: Stale): RequestHandler {
    const needed = [permissions].flat()
    return async (request: Request, response: Answer, next: NextFunction) => {
      try {
        const token = await this.verify(bearerOf(request), stale)
        if (!needed.every((p) => token.scopes.has(p))) {
          throw new Refused(403, 'insufficient_scope', 'the access token lacks a permission')
        }
        if (request.is('urlencoded') && request.body?.access_token !== undefined) {
          throw new Refused(400, 'invalid_request', 'the request carries two access tokens')
        }
        this.#tokens.set(request, token)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        this.#refuse(response, error, needed)
        return
      }
      next()
    }
  }

  // tokenOf returns the token of a request that came through the guard.
  tokenOf(request: Request): Token {
    const token = this.#tokens.get(request)
    if (!token) throw new Error('the route is not guarded')
    return token
  }

  // #refuse answers as RFC 6750 asks.
  #refuse(response: Answer, refused: Refused, needed: string[]): void {
    response.status(refused.status).set('Cache-Control', 'no-store')
    if (refused.status === 503) {
      response.set('Retry-After', '10')
    } else {
      const parts = [`realm="${this.#settings.audience}"`]
      if (refused.code) parts.push(`error="${refused.code}"`, `error_description="${refused.message}"`)
      if (needed.length > 0 && refused.status !== 400) parts.push(`scope="${needed.join(' ')}"`)
      response.set('WWW-Authenticate', 'Bearer ' + parts.join(', '))
    }
    response.json({ error: refused.code || 'missing_token', error_description: refused.message })
  }
}

// checked looks at what jose does not.
function checked(payload: Json, kid: unknown): Token {
  try {
    const [issued, expires] = [whole(payload, 'iat'), whole(payload, 'exp')]
    if (expires - issued > maxLifetime || issued > Date.now() / 1000 + leeway) throw new Error('its times are not acceptable')
    return tokenOf(payload, kid)
  } catch (error) {
    throw new errors.JWTInvalid(String(error))
  }
}

// isNetwork tells a cut connection from a fault in this program or an answer that
// makes no sense.
function isNetwork(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && ['AbortError', 'TimeoutError'].includes(error.name))
}

function readFields(block: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    const before = fields.get(name)
    fields.set(name, name === 'data' && before !== undefined ? `${before}\n${value}` : value)
  }
  return fields
}

// bearerOf takes the token from the header Authorization, never from a query, which
// logs would keep.
function bearerOf(request: Request): string {
  const headers = request.headersDistinct['authorization'] ?? []
  if (headers.length > 1) throw new Refused(400, 'invalid_request', 'the request has more than one Authorization header')
  const [, scheme, token = ''] = /^(\S+) *(.*?) *$/.exec(headers[0] ?? '') ?? []
  if (scheme?.toLowerCase() !== 'bearer') {
    throw new Refused(401, '', 'an access token is needed in the Authorization header')
  }
  if (!/^[^\s,]+$/.test(token)) {
    throw new Refused(400, 'invalid_request', 'the Authorization header does not hold one access token')
  }
  return token
}
