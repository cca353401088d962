// Signs in, consents and signs out in Chromium as a person would, with JavaScript on and off, and looks at every page on the way.
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { launch, submit } from './chromium.mjs'
import { PageWatch } from './page_watch.mjs'
import { check, settings, step } from './run.mjs'

const PATIENCE_MS = 15_000
const WRONG_PASSWORD = 'certainly-not-the-password'
const SIGN_IN_FIELD = 'input[name=username], input[name=login]'

/** The two people who come by: a desktop by day, and a phone by night without JavaScript. */
const VISITORS = [
  { name: 'desktop', javaScriptEnabled: true, colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'phone', javaScriptEnabled: false, colorScheme: 'dark', viewport: { width: 390, height: 844 } },
]

class Visit {
  constructor(visitor, page, metadata) {
    this.visitor = visitor
    this.page = page
    this.metadata = metadata
    this.shots = 0
    this.watch = new PageWatch(page, settings.issuer)
  }

  /** One step: its work, then a look at what the browser complained of; a failure leaves a picture. */
  async step(title, work) {
    return step(title, async () => {
      try {
        const result = await work()
        this.watch.check()
        return result
      } catch (error) {
        await this.shoot('failed')
        throw new Error([error.message, ...this.watch.complaints()].join('; '))
      }
    })
  }

  async shoot(name) {
    if (!process.env.SHOTS) return
    this.shots += 1
    const file = `${this.visitor.name}-${String(this.shots).padStart(2, '0')}-${name}.png`
    await this.page.screenshot({ path: join(process.env.SHOTS, file), fullPage: true })
  }

  /** Does what submits a form, and waits until the page it leads to is there. */
  async submit(act) {
    await submit(this.page, act)
  }

  /** Opens the authorization endpoint; gives back the state that must return. */
  async authorize(extra = {}) {
    const state = randomBytes(16).toString('base64url')
    const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url')
    const url = new URL(this.metadata.authorization_endpoint)
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: settings.clientId,
      redirect_uri: settings.redirectUri,
      scope: settings.scope,
      state,
      nonce: randomBytes(16).toString('base64url'),
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...extra,
    }).toString()
    await this.page.goto(url.href)
    return state
  }

  /** Waits for the redirect to the application and checks what every answer must carry. */
  async returned(state) {
    await this.page.waitForURL((url) => url.href.startsWith(settings.redirectUri))
    const answer = new URL(this.page.url()).searchParams
    check(answer.get('state') === state, 'the state did not come back')
    check(answer.get('iss') === settings.issuer, `the answer carries iss ${answer.get('iss')} (RFC 9207)`)
    return answer
  }

  async returnedWithCode(state) {
    const answer = await this.returned(state)
    check(answer.get('code'), `no code came back, but error=${answer.get('error')}`)
  }

  async returnedWithError(state, error) {
    const answer = await this.returned(state)
    check(answer.get('error') === error, `expected error=${error}, got error=${answer.get('error')}${answer.has('code') ? ' and a code' : ''}`)
  }

  /** Fills in the sign-in form; the name only where it can be typed. Enter submits it on the phone, a click elsewhere. */
  async signIn(password) {
    const name = this.page.locator(SIGN_IN_FIELD).first()
    if (await name.isVisible() && await name.isEditable()) await name.fill(settings.username)
    const field = this.page.locator('input[type=password]')
    await field.fill(password)
    const button = this.page.locator('form:has(input[type=password]) button:not([type=button])').first()
    await this.submit(() => (this.visitor.javaScriptEnabled ? button.click() : field.press('Enter')))
  }

  async seesSignIn() {
    await this.page.locator('input[type=password]').waitFor()
    await this.watch.checkLayout()
  }

  async press(value) {
    await this.submit(() => this.page.locator(`button[value="${value}"]`).click())
  }

  async seesConsent() {
    await this.page.locator('button[value=allow]').waitFor()
    check(await this.page.locator('button[value=deny]').isVisible(), 'consent cannot be denied')
    await this.watch.checkLayout()
  }
}

async function signsIn(visit) {
  let state
  await visit.step('the sign-in page appears', async () => {
    state = await visit.authorize({ prompt: 'consent' })
    await visit.seesSignIn()
    await visit.shoot('sign-in')
  })
  await visit.step('a wrong password gives a message', async () => {
    await visit.signIn(WRONG_PASSWORD)
    const message = visit.page.locator('[role=alert]')
    await message.waitFor()
    check((await message.innerText()).trim() !== '', 'the message is empty')
    check(!(await visit.page.content()).includes(WRONG_PASSWORD), 'the page repeats the password')
    await visit.seesSignIn()
    await visit.shoot('wrong-password')
  })
  await visit.step('the right password leads to consent', async () => {
    await visit.signIn(settings.password)
    await visit.seesConsent()
    await visit.shoot('consent')
  })
  await visit.step('denying goes back with access_denied', async () => {
    await visit.press('deny')
    await visit.returnedWithError(state, 'access_denied')
  })
}

async function consents(visit) {
  await visit.step('asked again, allowing goes back with a code', async () => {
    const state = await visit.authorize({ prompt: 'consent' })
    await visit.seesConsent()
    await visit.press('allow')
    await visit.returnedWithCode(state)
  })
  await visit.step('prompt=none goes back with a code and shows nothing', async () => visit.returnedWithCode(await visit.authorize({ prompt: 'none' })))
  await visit.step('prompt=login asks for the password again', async () => {
    const state = await visit.authorize({ prompt: 'login' })
    await visit.seesSignIn()
    await visit.shoot('sign-in-again')
    await visit.signIn(settings.password)
    if (await visit.page.locator('button[value=allow]').isVisible()) await visit.press('allow')
    await visit.returnedWithCode(state)
  })
}

/** Opens the end-session endpoint without an ID token, so that the person has to be asked (RP-Initiated Logout 2). */
async function opensLogout(visit) {
  const state = randomBytes(16).toString('base64url')
  const url = new URL(visit.metadata.end_session_endpoint)
  const parameters = { client_id: settings.clientId, state }
  if (settings.postLogoutRedirectUri) parameters.post_logout_redirect_uri = settings.postLogoutRedirectUri
  url.search = new URLSearchParams(parameters).toString()
  await visit.page.goto(url.href)
  await visit.page.locator('form button, button[form]').first().waitFor()
  await visit.watch.checkLayout()
  return state
}

async function signsOut(visit) {
  const buttons = visit.page.locator('form button, button[form]')
  await visit.step('signing out asks first, and staying keeps the session', async () => {
    await opensLogout(visit)
    await visit.shoot('sign-out')
    check(await buttons.count() === 2, 'the page does not offer exactly two answers')
    await visit.submit(() => buttons.last().click())
    await visit.returnedWithCode(await visit.authorize({ prompt: 'none' }))
  })
  await visit.step('signing out ends at the application or at a signed-out page', async () => {
    const state = await opensLogout(visit)
    await visit.submit(() => buttons.first().click())
    const url = new URL(visit.page.url())
    if (settings.postLogoutRedirectUri && url.href.startsWith(settings.postLogoutRedirectUri)) {
      check(url.searchParams.get('state') === state, 'the state did not come back')
      return
    }
    check(/signed out/i.test(await visit.page.locator('body').innerText()), 'the page does not say that the person is signed out')
    await visit.watch.checkLayout()
    await visit.shoot('signed-out')
  })
  await visit.step('prompt=none then goes back with login_required', async () => visit.returnedWithError(await visit.authorize({ prompt: 'none' }), 'login_required'))
}

async function comesBy(browser, visitor) {
  console.log(`--    ${visitor.name}, JavaScript ${visitor.javaScriptEnabled ? 'on' : 'off'}`)
  const { name: _, ...options } = visitor
  const context = await browser.newContext({ ...options, ignoreHTTPSErrors: true })
  context.setDefaultTimeout(PATIENCE_MS)
  const metadata = await step('discovery', async () => {
    const answer = await context.request.get(`${settings.issuer}/.well-known/openid-configuration`)
    check(answer.ok(), `discovery answered ${answer.status()}`)
    return answer.json()
  })
  const visit = new Visit(visitor, await context.newPage(), metadata)
  await signsIn(visit)
  await consents(visit)
  await signsOut(visit)
  await context.close()
}

/** Stands where the application would, so that the browser itself decides about the redirect (CSP form-action). */
async function application() {
  const { hostname, port } = new URL(settings.redirectUri)
  check(hostname === '127.0.0.1' && port, 'REDIRECT_URI must be http://127.0.0.1:PORT/..., this program listens there')
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><html lang="en"><title>Application</title><link rel="icon" href="data:,"><p>Back at the application.</p></html>')
  })
  await new Promise((listening, failed) => server.once('error', failed).listen(Number(port), hostname, listening))
  return server
}

if (process.env.SHOTS) mkdirSync(process.env.SHOTS, { recursive: true })
const server = await step('the application listens', application)
const browser = await step('Chromium starts', launch)
for (const visitor of VISITORS) await comesBy(browser, visitor)
await browser.close()
server.close()
console.log('browser: all steps passed')
