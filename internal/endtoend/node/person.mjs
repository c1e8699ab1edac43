// A person whose browser knows no more than links, forms and cookies.

import { settings } from './run.mjs'

const maxSteps = 12

// The Node of Debian 12 has no getSetCookie. None of the server's cookies holds a
// comma.
function setCookies(headers) {
  if (headers.getSetCookie) return headers.getSetCookie()
  return (headers.get('set-cookie') ?? '').split(/,\s*(?=[^;,=\s]+=)/).filter(Boolean)
}

export class Person {
  passwordsTyped = 0
  #cookies = new Map()

  // authorize goes from an authorization request, signing in and allowing
  // everything, to the app's redirect URI, and returns that as a URL.
  async authorize(url) {
    return this.#walk(String(url))
  }

  // open follows a link to where it ends: a page, or an address outside the issuer.
  async #walk(url, form) {
    for (let step = 0; step < maxSteps; step++) {
      if (!url.startsWith(settings.issuer + '/')) return new URL(url)
      const response = await this.#send(url, form)
      form = undefined
      const location = response.headers.get('location')
      if (location) {
        await response.arrayBuffer()
        url = new URL(location, url).href
        continue
      }
      const page = parseForm(await response.text())
      if (!page) throw new Error(`${response.status} at ${new URL(url).pathname}, and no form`)
      url = new URL(page.action, url).href
      form = this.#fill(page)
    }
    throw new Error('the pages do not end')
  }

  async #send(url, form) {
    const headers = { cookie: [...this.#cookies].map(([k, v]) => `${k}=${v}`).join('; ') }
    const response = await fetch(url, {
      redirect: 'manual', headers, method: form ? 'POST' : 'GET', body: form,
    })
    for (const line of setCookies(response.headers)) {
      const [pair, ...attributes] = line.split(';')
      const [name, value] = pair.split('=', 2)
      if (attributes.some((a) => /^\s*max-age=0\s*$/i.test(a))) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return response
  }

  #fill(page) {
    if (page.fields.has('password')) {
      this.passwordsTyped++
      page.fields.set('username', settings.username)
      page.fields.set('password', settings.password)
      page.fields.set('action', 'continue')
    } else if (page.actions.includes('allow')) {
      for (const scope of page.boxes) page.fields.append('scope', scope)
      page.fields.set('action', 'allow')
    } else {
      page.fields.set('action', 'continue')
    }
    return page.fields
  }
}

// parseForm reads the first form with buttons that say what to do.
function parseForm(page) {
  for (const [, attributes, inner] of page.matchAll(/<form ([^>]*)>(.*?)<\/form>/gs)) {
    const form = { action: attribute(attributes, 'action'), fields: new URLSearchParams(), boxes: [], actions: [] }
    for (const [, input] of inner.matchAll(/<input ([^>]*)>/g)) {
      if (attribute(input, 'type') === 'checkbox') form.boxes.push(attribute(input, 'value'))
      else form.fields.set(attribute(input, 'name'), attribute(input, 'value') ?? '')
    }
    for (const [, button] of inner.matchAll(/<button ([^>]*)>/g)) {
      if (attribute(button, 'name') === 'action') form.actions.push(attribute(button, 'value'))
    }
    if (form.actions.length > 0) return form
  }
  return undefined
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"' }

function attribute(text, name) {
  const found = text.match(new RegExp(`(?:^|\\s)${name}="([^"]*)"`))
  return found?.[1].replace(/&(?:#(\d+)|(\w+));/g, (_, code, word) => (code ? String.fromCodePoint(code) : entities[word]))
}
