// A day of an operator's program that administers Gatehouse by a client that was
// generated from the description of the admin API: api.ts is made by openapi-typescript
// from what the server under test serves, and this file is compiled against it.

import createClient from 'openapi-fetch'
import type { components, paths } from './api.js'
import { check, report, settings } from './run.mjs'

type Problem = components['schemas']['Problem']

// got returns what a call answered; a problem ends the script.
async function got<T>(call: Promise<{ data?: T; error?: Problem; response: Response }>): Promise<T> {
  const { data, error, response } = await call
  if (error !== undefined) throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`)
  return data as T
}

// refused returns the problem with which a call must be answered.
async function refused(call: Promise<{ error?: Problem; response: Response }>, status: number, word: string): Promise<Problem> {
  const { error, response } = await call
  if (error?.status !== status || response.status !== status || !error.type.endsWith(`#problem-${word}`)) {
    throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}, want ${status} ${word}`)
  }
  return error
}

function must(so: boolean, what: unknown) {
  if (!so) throw new Error(JSON.stringify(what))
}

// tagOf returns the ETag of what was read or made.
function tagOf(response: Response): string {
  const tag = response.headers.get('ETag')
  if (tag === null) throw new Error(`${response.url} came without an ETag`)
  return tag
}

const segment = (name: string) => `~${Buffer.from(name).toString('base64url')}`

const answered = await fetch(`${settings.issuer}/oauth2/token`, {
  method: 'POST',
  headers: { Authorization: `Basic ${Buffer.from(`${settings.client_id}:${settings.client_secret}`).toString('base64')}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope: settings.scope, resource: settings.issuer }),
})
const { access_token: token } = (await answered.json()) as { access_token: string }
const api = createClient<paths>({ baseUrl: settings.base, headers: { Authorization: `Bearer ${token}` } })

const made = await api.POST('/users', {
  params: { header: { 'Idempotency-Key': 'one' } },
  body: { username: 'ada', email: 'ada@example.com', name: 'Ada', profile: { given_name: 'Ada', address: { country: 'UK' } } },
})
const ada = await got(Promise.resolve(made))
const user = { path: { user: ada.sub } }

await check('users', async () => {
  const again = await api.POST('/users', {
    params: { header: { 'Idempotency-Key': 'one' } },
    body: { username: 'ada', email: 'ada@example.com', name: 'Ada', profile: { given_name: 'Ada', address: { country: 'UK' } } },
  })
  must(again.data?.sub === ada.sub && again.response.headers.get('Idempotent-Replayed') === 'true', again.data)
  must(made.response.headers.get('Location') === ada.self, ada.self)
  const changed = await got(
    api.PATCH('/users/{user}', {
      params: { ...user, header: { 'If-Match': tagOf(made.response) } },
      headers: { 'Content-Type': 'application/merge-patch+json' },
      body: { name: 'Ada L.', email: null, profile: { given_name: null } },
    }),
  )
  must(changed.name === 'Ada L.' && changed.email === undefined && changed.profile.address?.country === 'UK', changed)
  const stale = { params: { ...user, header: { 'If-Match': tagOf(made.response) } }, body: { name: 'X' } }
  await refused(api.PATCH('/users/{user}', stale), 412, 'changed')
  const wrong = await refused(api.POST('/users', { body: { username: 'grace', profile: { zoneinfo: 'nowhere' } } }), 422, 'invalid')
  must(wrong.errors?.[0]?.pointer === '#/profile/zoneinfo', wrong)
  await got(api.POST('/users/{user}/ban', { params: user }))
  must((await got(api.GET('/users', { params: { query: { banned: 'true' } } }))).items[0]?.sub === ada.sub, 'banned')
  await got(api.POST('/users/{user}/unban', { params: user }))
  await got(api.PUT('/users/{user}/required-actions', { params: user, body: { actions: ['change_password'] } }))
  await got(api.POST('/users/{user}/password', { params: user, body: { password: 'seven amber ladders whisper 4' } }))
  let names: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await got(api.GET('/users', { params: { query: { limit: 1, cursor, sort: '-created_at' } } }))
    names = names.concat(page.items.map((u) => u.username))
    cursor = page.next
    if (cursor === undefined) break
  }
  must(names[0] === 'ada' && names.includes('regular_user') && new Set(names).size === names.length, names)
})

const notes = 'https://notes.example.com'
await check('APIs', async () => {
  const { data, response } = await api.POST('/apis', {
    body: { audience: notes, name: 'Notes', texts: { de: { name: 'Notizen' } }, permissions: [{ name: 'notes:read', description: 'Can read notes' }] },
  })
  must(data?.client_secret.length === 43 && data.api.resource_server === data.client_id, data)
  const path = { api: segment(notes) }
  const changed = await got(
    api.PATCH('/apis/{api}', { params: { path, header: { 'If-Match': tagOf(response) } }, body: { texts: { fr: { name: 'Notes' } }, token_seconds: 60 } }),
  )
  must(changed.texts?.['de']?.name === 'Notizen' && changed.texts['fr']?.name === 'Notes' && changed.token_seconds === 60, changed)
  await got(api.POST('/apis/{api}/permissions', { params: { path }, body: { name: 'notes:write', description: 'Can write' } }))
  const permission = { path: { ...path, permission: segment('notes:write') } }
  await got(api.PUT('/apis/{api}/permissions/{permission}', { params: permission, body: { description: 'Can write notes' } }))
  const read = await got(api.GET('/apis/{api}', { params: { path } }))
  must(read.permissions.map((p) => p.description).includes('Can write notes'), read)
  await got(api.DELETE('/apis/{api}/permissions/{permission}', { params: permission }))
})

await check('groups', async () => {
  await got(api.POST('/groups', { body: { name: 'Day shift' } }))
  const group = { path: { group: segment('Day shift') } }
  const permission = { path: { ...group.path, permission: segment('posts:add') } }
  await got(api.PUT('/groups/{group}/permissions/{permission}', { params: permission }))
  const report = await got(api.POST('/groups/{group}/members', { params: group, body: { subs: [ada.sub, 'nobody'] } }))
  must(report.changed[0] === ada.sub && report.unknown[0] === 'nobody', report)
  const members = await got(api.GET('/groups/{group}/members', { params: { ...group, query: { limit: 10 } } }))
  must(members.items.length === 1 && members.items[0]?.username === 'ada', members)
  const held = await got(api.GET('/users/{user}/permissions', { params: user }))
  must(held.items.some((h) => h.permission === 'posts:add' && h.through.includes('Day shift')), held)
  const holders = await got(api.GET('/permissions/{permission}/groups', { params: { path: { permission: segment('posts:add') } } }))
  must(holders.items.some((h) => h.group === 'Day shift' && h.direct), holders)
  const more = { ...group.path, permission: segment('notes:read') }
  await refused(api.PUT('/groups/{group}/permissions/{permission}', { params: { path: more } }), 403, 'more-than-held')
  await got(api.POST('/groups/{group}/members/remove', { params: group, body: { subs: [ada.sub] } }))
})

await check('apps and secrets', async () => {
  const { data, response } = await api.POST('/clients', { body: { type: 'machine', name: 'Robot', permissions: ['posts:add'], texts: { de: { name: 'Roboter' } } } })
  if (data?.client_secret === undefined) throw new Error('no secret')
  const client = { path: { client: data.client.client_id } }
  must(response.headers.get('Location')?.endsWith(`/clients/${data.client.client_id}`) === true, data)
  const changed = await got(
    api.PATCH('/clients/{client}', { params: { ...client, header: { 'If-Match': tagOf(response) } }, body: { texts: { de: null }, access_token_seconds: 120 } }),
  )
  must(changed.texts === undefined && changed.access_token_seconds === 120 && changed.type === 'machine', changed)
  const second = await got(api.POST('/clients/{client}/secrets', { params: client, body: { overlap_seconds: 60 } }))
  must(second.client_secret !== data.client_secret, 'the same secret')
  const secrets = await got(api.GET('/clients/{client}/secrets', { params: client }))
  const first = secrets.items.find((s) => s.id !== second.id)
  must(secrets.items.length === 2 && first?.expires_at !== undefined, secrets)
  await got(api.DELETE('/clients/{client}/secrets/{secret}', { params: { path: { ...client.path, secret: first?.id ?? '' } } }))
  await got(api.POST('/clients/{client}/disable', { params: client }))
  const disabled = await got(api.GET('/clients', { params: { query: { state: 'disabled', type: 'machine' } } }))
  must(disabled.items.length === 1 && disabled.items[0]?.name === 'Robot', disabled)
  await got(api.POST('/clients/{client}/enable', { params: client }))

  await got(api.POST('/permission-sets', { body: { name: 'Writers' } }))
  const set = { set: 'Writers' }
  await got(api.PUT('/permission-sets/{set}/permissions/{other}', { params: { path: { ...set, other: segment('posts:add') } } }))
  await got(api.PUT('/permission-sets/{set}/clients/{other}', { params: { path: { ...set, other: data.client.client_id } } }))
  const holding = await got(api.GET('/clients/{client}', { params: client }))
  must(holding.set_permissions[0] === 'posts:add' && holding.permission_sets[0] === 'Writers', holding)
  await got(api.DELETE('/permission-sets/{set}', { params: { path: set } }))
  await got(api.DELETE('/clients/{client}', { params: client }))
})

await check('sessions, grants and consents', async () => {
  const sessions = await got(api.GET('/sessions', { params: { query: { sub: settings.sub } } }))
  const session = sessions.items.find((s) => s.sid === settings.sid)
  must(session?.state === 'live' && session.username === 'regular_user', sessions)
  const asked = { query: { sub: settings.sub, client_id: settings.signed_in } }
  const consents = await got(api.GET('/consents', { params: asked }))
  must(consents.items[0]?.scopes.includes('posts:add') === true, consents)
  const grants = await got(api.GET('/grants', { params: asked }))
  must(grants.items[0]?.sid === settings.sid, grants)
  await got(api.DELETE('/sessions/{sid}', { params: { path: { sid: settings.sid } } }))
})

await check('revocations and receipts', async () => {
  const rows = await got(api.GET('/revocations', { params: { query: { kind: 'session', key: settings.sid } } }))
  const row = rows.items[0]
  if (row === undefined) throw new Error('no row for the session')
  const until = Date.now() + 15_000
  for (;;) {
    const explained = await got(api.GET('/revocations/{position}', { params: { path: { position: row.position } } }))
    must(explained.events.length === 1 && explained.events[0]?.action === 'session.end', explained.events)
    if (explained.receipts.some((r) => r.audience === settings.api && r.acknowledged_at !== undefined)) break
    must(Date.now() < until, explained)
    await new Promise((f) => setTimeout(f, 100))
  }
  const following = await got(api.GET('/followers'))
  must(following.head >= row.position && following.items.some((f) => f.state === 'fresh'), following)
  await got(api.POST('/revocations', { body: { kind: 'client', key: settings.signed_in, confirm: settings.signed_in } }))
  await refused(api.POST('/revocations', { body: { kind: 'all', confirm: 'all', reason: 'test' } }), 403, 'superuser-only')
})

await check('keys', async () => {
  const keys = await got(api.GET('/keys'))
  const next = keys.items.find((k) => k.algorithm === 'ES256' && k.state === 'next')
  const { changes } = await got(api.POST('/keys/rotate', { body: { algorithm: 'ES256', force: true } }))
  must(changes.some((c) => c.kid === next?.kid && c.to === 'active'), changes)
})

await check('settings', async () => {
  const { data, response } = await api.GET('/settings')
  must(data?.settings.find((s) => s.name === 'sign_up')?.kind === 'choice', data)
  const params = { header: { 'If-Match': tagOf(response) } }
  const changed = await got(api.PATCH('/settings', { params, body: { values: { sign_up: 'invitation' } } }))
  must(changed.settings.some((s) => s.name === 'sign_up' && s.value === 'invitation' && s.origin === 'database'), changed)
})

await check('audit and status', async () => {
  const own = { actor_kind: 'client', actor_id: settings.client_id } as const
  const found = await got(api.GET('/audit', { params: { query: { ...own, action: 'user.ban' } } }))
  const event = await got(api.GET('/audit/{event}', { params: { path: { event: found.items[0]?.id ?? '' } } }))
  must(event.target_id === ada.sub && event.actor_id === settings.client_id, event)
  const status = await got(api.GET('/status'))
  must(status.parts.length > 0 && (status.followers?.length ?? 0) > 0, status)
})

// Each of these lines must be an error to the compiler, or the types say nothing.
export async function wrong() {
  // @ts-expect-error no such path
  await api.GET('/people')
  // @ts-expect-error no such filter
  await api.GET('/users', { params: { query: { colour: 'red' } } })
  // @ts-expect-error no such order
  await api.GET('/users', { params: { query: { sort: 'name' } } })
  // @ts-expect-error a member is missing
  await api.POST('/groups', { body: {} })
  // @ts-expect-error a member is of another type
  await api.POST('/groups', { body: { name: 7 } })
  // @ts-expect-error a PATCH without If-Match
  await api.PATCH('/users/{user}', { params: user, body: { name: 'X' } })
  // @ts-expect-error a name is always text
  await api.POST('/groups', { body: { name: null } })
  // @ts-expect-error a position is a number
  await api.GET('/revocations/{position}', { params: { path: { position: 'x' } } })
  // @ts-expect-error what is answered has no such member
  return ada.password
}

report()
