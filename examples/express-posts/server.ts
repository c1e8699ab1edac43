// A small API: reading posts takes any valid token, adding and deleting a permission.

import express from 'express'

import { Gatehouse } from './gatehouse.js'

function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

const gatehouse = new Gatehouse({
  issuer: setting('ISSUER'), audience: setting('AUDIENCE'),
  clientID: setting('API_CLIENT_ID'), clientSecret: setting('API_CLIENT_SECRET'),
})
gatehouse.start()

interface Post { id: number; title: string; body: string; author: string }

const posts = new Map<number, Post>()
let last = 0

const app = express()
app.disable('x-powered-by')

app.get('/posts', gatehouse.requireLogin(), (_request, response) => {
  response.json({ posts: [...posts.values()] })
})

// The guard comes first: nobody's body is read but that of who may post.
app.post('/posts', gatehouse.requirePermission('posts:add'), express.json({ limit: '64kb' }), (request, response) => {
  const { title, body } = (request.body ?? {}) as Record<string, unknown>
  if (typeof title !== 'string' || title === '' || title.length > 200 || typeof body !== 'string' || body.length > 10_000) {
    response.status(400).json({ error: 'invalid_post' })
    return
  }
  if (posts.size >= 1000) {
    response.status(507).json({ error: 'full' })
    return
  }
  const post = { id: ++last, title, body, author: gatehouse.tokenOf(request).subject }
  posts.set(post.id, post)
  response.status(201).json(post)
})

app.delete('/posts/:id', gatehouse.requirePermission('posts:delete', 'deny'), (request, response) => {
  if (posts.delete(Number(request.params['id']))) response.status(204).end()
  else response.status(404).json({ error: 'not_found' })
})

app.listen(Number(setting('PORT')), '127.0.0.1')
