// Runs the vectors that all followers share, and prints the names of those that
// pass as JSON.

import { readFileSync } from 'node:fs'

import { digest, Late, Ledger, OutOfStep, tokenOf, type Json } from './ledger.js'

interface Vectors {
  hash_key: string
  sums: { name: string; claim: string; value: string; key: string }[]
  matches: { name: string; floor: number; rows: Json[]; kid: string; claims: Json; refused: boolean }[]
  times: {
    name: string; requested: number; now: number; fresh: boolean; reconnect: boolean
    frames: { received: number; time: number; age: number }[]
  }[]
  steps: { name: string; frame: Json; resync: boolean }[]
}

const vectors = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Vectors
const still = { steady: () => 0, wall: () => 0 }

function frame(position: number, more: Json = {}): Json {
  return { v: 1, timeline: 't', prev: position, position, floor: 0, time: 1, age: 0, ...more }
}

function ledger(more: Json): Ledger {
  return new Ledger({ ...frame(0), complete: true, cursor: 'c', hash_key: vectors.hash_key, ...more }, 0, 0, still)
}

function matches({ rows, floor, claims, kid, refused }: Vectors['matches'][number]): boolean {
  return (ledger({ rows, floor, position: 2 ** 40 }).refuses(tokenOf(claims, kid)) !== '') === refused
}

// times plays frames on one connection after a snapshot that is long out of date.
function times(c: Vectors['times'][number]): boolean {
  const l = ledger({ age: 3_600_000 })
  l.connect(c.requested)
  for (const f of c.frames) {
    try {
      l.apply(frame(0, { time: f.time, age: f.age }), 'c', f.received)
    } catch (error) {
      if (error instanceof Late) return c.reconnect
      throw error
    }
  }
  return !c.reconnect && l.fresh(c.now) === c.fresh
}

// steps applies a frame to position 10 of timeline "t".
function steps(c: Vectors['steps'][number]): boolean {
  try {
    ledger({ position: 10 }).apply({ ...frame(10), ...c.frame }, 'c', 0)
  } catch (error) {
    if (error instanceof OutOfStep) return c.resync
    throw error
  }
  return !c.resync
}

const hashKey = Buffer.from(vectors.hash_key, 'base64url')
const passed = [
  ...vectors.sums.filter((c) => digest(hashKey, c.claim, c.value) === c.key),
  ...vectors.matches.filter(matches),
  ...vectors.times.filter(times),
  ...vectors.steps.filter(steps),
].map((c) => c.name)
console.log(JSON.stringify({ passed }))
