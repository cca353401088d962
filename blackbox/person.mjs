// A person without a browser: keeps cookies, follows redirects, fills in and submits the forms it meets.

/** Button values that say no; a person here always says yes. */
const REFUSALS = new Set(['deny', 'cancel', 'no', 'stay', 'another'])
const MAX_REQUESTS = 20

export class Person {
  #cookies = new Map()

  constructor({ username, password }) {
    this.username = username
    this.password = password
  }

  /**
   * Opens `url` and goes on, through redirects and forms, until a redirect leads to one of `destinations`
   * (the answer is that URL, which is not fetched) or a page without a form is reached (the answer is undefined).
   */
  async visit(url, ...destinations) {
    let request = { url: new URL(url), method: 'GET' }
    let signedIn = false
    for (let count = 0; count < MAX_REQUESTS; count += 1) {
      const response = await this.#send(request)
      if (response.status >= 300 && response.status < 400) {
        if (response.status > 303) throw new Error(`${request.url.pathname} answered ${response.status}, which would send the form on`)
        const location = response.headers.get('location')
        if (!location) throw new Error(`${request.url.pathname} answered ${response.status} without a Location`)
        const next = new URL(location, request.url)
        if (destinations.some((to) => to && samePlace(next, new URL(to)))) return next
        request = { url: next, method: 'GET' }
        continue
      }
      const html = await response.text()
      if (response.status >= 400) throw new Error(`${request.url.pathname} answered ${response.status}: ${visibleText(html)}`)
      const form = mainForm(html)
      if (!form) return undefined
      if (form.asksPassword) {
        if (signedIn) throw new Error(`the sign-in was not accepted: ${visibleText(html)}`)
        signedIn = true
      }
      request = this.#submission(form, request.url)
    }
    throw new Error(`no end after ${MAX_REQUESTS} requests`)
  }

  #submission(form, page) {
    const fields = new URLSearchParams()
    for (const input of form.inputs) {
      const type = (input.type ?? 'text').toLowerCase()
      if (!input.name || 'disabled' in input || ['submit', 'button', 'reset', 'image'].includes(type)) continue
      if (['checkbox', 'radio'].includes(type) && !('checked' in input)) continue
      fields.append(input.name, this.#answer(input, type))
    }
    const button = form.buttons.find((b) => !REFUSALS.has((b.value ?? '').toLowerCase()))
    if (button?.name) fields.append(button.name, button.value ?? '')
    const url = new URL(form.action || page.href, page)
    if ((form.method ?? 'get').toLowerCase() === 'post') return { url, method: 'POST', body: fields }
    url.search = fields.toString()
    return { url, method: 'GET' }
  }

  #answer(input, type) {
    if (type === 'password') return this.password
    const editable = type !== 'hidden' && !('readonly' in input)
    if (editable && ['username', 'login'].includes(input.name)) return this.username
    return input.value ?? (type === 'checkbox' || type === 'radio' ? 'on' : '')
  }

  async #send({ url, method, body }) {
    const headers = { accept: 'text/html', origin: url.origin }
    const cookie = this.#cookieHeader(url)
    if (cookie) headers.cookie = cookie
    const response = await fetch(url, { method, body, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#keep(line, url)
    return response
  }

  #keep(line, url) {
    const [pair, ...rest] = line.split(';').map((part) => part.trim())
    const [name, value] = split(pair)
    const attributes = Object.fromEntries(rest.map((part) => split(part)).map(([key, v]) => [key.toLowerCase(), v]))
    const path = attributes.path || '/'
    const key = `${url.host} ${path} ${name}`
    const over = attributes['max-age'] !== undefined ? Number(attributes['max-age']) <= 0 : attributes.expires && Date.parse(attributes.expires) <= Date.now()
    if (over) this.#cookies.delete(key)
    else this.#cookies.set(key, { host: url.host, path, name, value, secure: 'secure' in attributes })
  }

  #cookieHeader(url) {
    return [...this.#cookies.values()]
      .filter((c) => c.host === url.host && (!c.secure || url.protocol === 'https:') && covers(c.path, url.pathname))
      .map((c) => `${c.name}=${c.value}`)
      .join('; ')
  }
}

function split(pair) {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

/** RFC 6265 5.1.4. */
function covers(cookiePath, path) {
  return path === cookiePath || (path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/'))
}

function samePlace(a, b) {
  return a.origin === b.origin && a.pathname === b.pathname
}

/** The form that asks for a password, else the first one. */
function mainForm(html) {
  const forms = formsOf(html)
  return forms.find((form) => form.asksPassword) ?? forms[0]
}

const TAG = /<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|'[^']*'|[^"'>])*)>/gi
const ATTRIBUTE = /([^\s=/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?/g

function formsOf(html) {
  const forms = []
  let open
  for (const [, closing, tag, rest] of withoutProgram(html).matchAll(TAG)) {
    const name = tag.toLowerCase()
    if (name === 'form') {
      open = undefined
      if (closing) continue
      open = { ...attributesOf(rest), inputs: [], buttons: [], asksPassword: false }
      forms.push(open)
    }
    if (closing || (name !== 'input' && name !== 'button')) continue
    const control = attributesOf(rest)
    const owner = control.form ? forms.find((form) => form.id === control.form) : open
    if (!owner) continue
    const type = (control.type ?? (name === 'button' ? 'submit' : 'text')).toLowerCase()
    if (type === 'password') owner.asksPassword = true
    if (type === 'submit') owner.buttons.push(control)
    else if (name === 'input') owner.inputs.push(control)
  }
  return forms
}

function attributesOf(text) {
  const attributes = {}
  for (const [, name, double, single, bare] of text.matchAll(ATTRIBUTE)) attributes[name.toLowerCase()] = decoded(double ?? single ?? bare ?? '')
  return attributes
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decoded(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? NAMED[name.toLowerCase()] : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)))
}

function withoutProgram(html) {
  return html.replace(/<!--[\s\S]*?-->|<(script|style)\b[\s\S]*?<\/\1\s*>/gi, ' ')
}

function visibleText(html) {
  return decoded(withoutProgram(html).replace(TAG, ' ')).replace(/\s+/g, ' ').trim().slice(0, 300)
}
