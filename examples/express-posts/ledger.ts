// What was taken back: the memory of a follower of Gatehouse's ledger, version 1.
// Nothing here talks to anybody; gatehouse.ts feeds it. docs/wire.md has the rules.

import { createHmac } from 'node:crypto'

const freshFor = 10_000 // milliseconds for which what was confirmed counts
const maxRows = 2_000_000
export const leeway = 30 // seconds by which clocks may differ

// Kind of row: the claim that it matches, and whether it does so whatever the
// token's rev is.
const kinds = new Map<unknown, { claim: string; absolute: boolean }>([
  ['token', { claim: 'jti', absolute: true }],
  ['session', { claim: 'sid', absolute: true }],
  ['grant', { claim: 'gid', absolute: true }],
  ['key', { claim: 'kid', absolute: true }],
  ['user', { claim: 'sub', absolute: false }],
  ['membership', { claim: 'sub', absolute: false }],
  ['permission', { claim: 'scope', absolute: false }],
  ['client', { claim: 'client_id', absolute: false }],
  ['all', { claim: '', absolute: false }],
])
const absolute = new Set([...kinds.values()].filter((k) => k.absolute).map((k) => k.claim))

// OutOfStep: the feed says what this follower does not understand or cannot
// continue; a snapshot is needed.
export class OutOfStep extends Error {}

// Late: times do not fit together; a new connection has to measure them anew.
export class Late extends Error {}

// Json is a decoded document that nobody has looked at yet.
export type Json = Record<string, unknown>

export function whole(document: Json, name: string): number {
  const value = document[name]
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new OutOfStep(`${name} is no whole number`)
  return value as number
}

function text(document: Json, name: string): string {
  const value = document[name]
  if (typeof value !== 'string') throw new OutOfStep(`${name} is no text`)
  return value
}

// unpadded decodes base64url without padding, in its one spelling.
function unpadded(value: string): Buffer {
  const decoded = Buffer.from(value, 'base64url')
  if (decoded.toString('base64url') !== value) throw new OutOfStep('not base64url')
  return decoded
}

// digest is what rows carry in place of a claim's value.
export function digest(hashKey: Buffer, claim: string, value: string): string {
  return createHmac('sha256', hashKey).update(`${claim}\0${value}`).digest().subarray(0, 16).toString('base64url')
}

// Token is what a verified access token says.
export interface Token {
  subject: string
  clientID: string
  scopes: ReadonlySet<string>
  rev: number
  expires: number // Unix seconds
  keys: readonly (readonly [claim: string, value: string])[] // all that a row can match
}

// tokenOf reads the claims of a token that the key kid has signed.
export function tokenOf(claims: Json, kid: unknown): Token {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries({ ...claims, kid })) {
    if (!['jti', 'sid', 'gid', 'sub', 'client_id', 'scope', 'kid'].includes(name)) continue
    if (typeof value !== 'string') throw new Error('a claim is no text')
    if (value !== '') values.set(name, value)
  }
  const [subject, clientID] = [values.get('sub'), values.get('client_id')]
  if (!subject || !clientID || !values.has('jti') || !values.has('kid')) {
    throw new Error('it lacks a subject, an id, a client or a key')
  }
  if ('cnf' in claims) throw new Error('it is bound to its sender and is no bearer token')
  const scopes = new Set((values.get('scope') ?? '').split(' ').filter(Boolean))
  values.delete('scope')
  const keys: [string, string][] = [...values]
  // Rows of the kind permission are about what groups give to people.
  if (values.has('gid')) for (const scope of scopes) keys.push(['scope', scope])
  return { subject, clientID, scopes, rev: whole(claims, 'rev'), expires: whole(claims, 'exp'), keys }
}

// Clock has two hands: one that nobody sets, and that of the wall, both in
// milliseconds.
export interface Clock {
  steady(): number
  wall(): number
}

// Ledger holds the rows of one timeline, and how fresh they are.
export class Ledger {
  cursor: string
  #timeline: string
  #hashKey: Buffer
  #position: number
  #floor = 0
  #rows = new Map<string, { position: number; expires: number }>() // by claim and digest
  #confirmed = -Infinity // steady time at which all that is known was true
  #requested = 0 // when this connection was asked for
  #first = 0 // server time of its first frame
  #gained = 0 // what the server's clock has gained since
  #server = 0 // server time less steady time
  #offset: number // wall time less steady time
  #nextDrop: number
  #ahead?: { rev: number; seen: number } // a token above position
  #quiet: number
  readonly #clock: Clock

  constructor(snapshot: Json, requested: number, now: number, clock: Clock, old?: Ledger) {
    this.#clock = clock
    if (snapshot['complete'] !== true) throw new OutOfStep('the snapshot is not complete')
    this.#timeline = text(snapshot, 'timeline')
    this.#position = whole(snapshot, 'prev')
    if (old && old.#timeline === this.#timeline && old.#position > whole(snapshot, 'position')) {
      throw new OutOfStep('the snapshot is of a node that lags') // it may lack what is known already
    }
    this.#hashKey = unpadded(text(snapshot, 'hash_key'))
    if (this.#hashKey.length < 16 || this.#hashKey.length > 64) throw new OutOfStep('a malformed hash key')
    this.cursor = text(snapshot, 'cursor')
    this.#nextDrop = now + 60_000
    this.#quiet = old ? old.#quiet : -Infinity
    this.#offset = clock.wall() - clock.steady()
    this.connect(requested)
    this.apply(snapshot, this.cursor, now)
  }

  // connect says that a new request is sent at that time; its first frame becomes
  // the anchor.
  connect(requested: number): void {
    if (this.#jumped()) this.distrust()
    this.#offset = this.#clock.wall() - this.#clock.steady()
    this.#requested = requested
    this.#first = this.#gained = 0
  }

  // apply takes in a frame. After Late a new connection is needed, after any other
  // error a snapshot.
  apply(frame: Json, cursor: string, now: number): void {
    if (frame['v'] !== 1 || frame['timeline'] !== this.#timeline || whole(frame, 'prev') !== this.#position) {
      throw new OutOfStep('another version, timeline or position')
    }
    const [position, served, age] = [whole(frame, 'position'), whole(frame, 'time'), whole(frame, 'age')]
    if (position < this.#position) throw new OutOfStep('the position runs backwards')
    const rows = frame['rows'] ?? []
    if (!Array.isArray(rows)) throw new OutOfStep('rows are no list')
    for (const row of rows) this.#add(row as Json)
    this.#floor = Math.max(this.#floor, whole(frame, 'floor'))
    this.#position = position
    this.cursor = cursor
    this.#server = served - now
    if (now >= this.#nextDrop) {
      this.#drop(served / 1000)
      this.#nextDrop = now + 60_000
    }
    this.#confirm(served, age, now)
    const ahead = this.#ahead
    if (ahead && position >= ahead.rev) this.#ahead = undefined
    else if (ahead && this.#confirmed >= ahead.seen + freshFor && now >= this.#quiet) {
      this.#ahead = undefined
      this.#quiet = now + 60_000
      throw new OutOfStep('tokens are ahead of the ledger: it may have lost a part')
    }
  }

  // #confirm works out since when what is known is true. The first frame was made
  // after its request was sent. So any frame, however long it lay in a buffer,
  // counts as made as long after that request as its server time is after the
  // first one's.
  #confirm(served: number, age: number, now: number): void {
    const first = this.#first || served
    let since = served - first - this.#gained
    const late = now - this.#requested - since
    if ((late > 5000 && this.#first) || late < -1000 || this.#jumped()) {
      this.distrust()
      throw new Late('frames come late, or a clock has jumped')
    }
    if (late < 0) {
      this.#gained -= late // it came before it can have been made
      since += late
    }
    this.#first = first
    this.#confirmed = Math.max(this.#confirmed, this.#requested + since - age)
  }

  #add(row: Json): void {
    const kind = kinds.get(row['kind'])
    if (!kind) throw new OutOfStep(`unknown kind ${JSON.stringify(row['kind'])}`)
    const key = row['key'] === undefined ? '' : text(row, 'key')
    const [position, expires] = [whole(row, 'position'), whole(row, 'expires')]
    if (kind.claim && !key) return // it matches no token
    if (unpadded(key).length !== (kind.claim ? 16 : 0)) throw new OutOfStep('a malformed key')
    const name = `${kind.claim} ${key}`
    const known = this.#rows.get(name)
    if (!known && this.#rows.size >= maxRows) throw new OutOfStep('more rows than allowed')
    this.#rows.set(name, {
      position: Math.max(known?.position ?? 0, position),
      expires: Math.max(known?.expires ?? 0, expires),
    })
  }

  // #drop forgets rows that no token needs any more; what is older is refused by
  // the floor.
  #drop(unix: number): void {
    for (const [name, row] of this.#rows) {
      if (row.expires >= unix) continue
      if (!name.startsWith('jti ')) this.#floor = Math.max(this.#floor, row.position)
      this.#rows.delete(name)
    }
  }

  // refuses says by which claim the token is taken back: "all", "exp", "floor", or
  // nothing.
  refuses(token: Token): string {
    for (const [claim, value] of token.keys) {
      const row = this.#rows.get(`${claim} ${digest(this.#hashKey, claim, value)}`)
      if (row && (absolute.has(claim) || row.position > token.rev)) return claim
    }
    if ((this.#rows.get(' ')?.position ?? 0) > token.rev) return 'all'
    // Its row may be gone, and this machine's clock be slow.
    const now = this.#clock.steady()
    if ((token.expires + leeway) * 1000 <= this.#server + now) return 'exp'
    if (token.rev < this.#floor) return 'floor'
    if (token.rev > this.#position) this.#ahead ??= { rev: token.rev, seen: now }
    return ''
  }

  // distrust makes it stale until something is confirmed anew.
  distrust(): void {
    this.#confirmed = -Infinity
  }

  fresh(now: number): boolean {
    return this.lag(now) <= freshFor && !this.#jumped()
  }

  // lag is how old what is known is.
  lag(now: number): number {
    return now - this.#confirmed
  }

  // #jumped reports whether the machine slept or its clock was set since the
  // request was sent.
  #jumped(): boolean {
    return Math.abs(this.#clock.wall() - this.#clock.steady() - this.#offset) > 2000
  }
}
