// Uses the account page in Chromium as a person would, with JavaScript on and off: sees two sessions and an application, ends them, and
// finds the other browser signed out and the tokens refused.
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { launch, submit } from './chromium.mjs'
import { PageWatch } from './page_watch.mjs'
import { check, checkInactive, settings, step } from './run.mjs'

const PATIENCE_MS = 15_000
const ACCOUNT = `${settings.issuer}/account`
/** OpenID Connect Core 11: the first ends with its session, the second does not. */
const BOUND = 'openid profile'
const OFFLINE = 'openid profile email offline_access'
const ELSEWHERE = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0'

const VISITORS = [
  { name: 'account-desktop', javaScriptEnabled: true, colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'account-phone', javaScriptEnabled: false, colorScheme: 'dark', viewport: { width: 360, height: 740 } },
]

/** One browser window of the person. */
class Window {
  constructor(name, page) {
    this.name = name
    this.page = page
    this.shots = 0
    this.watch = new PageWatch(page, settings.issuer)
  }

  static async open(browser, name, options) {
    const context = await browser.newContext({ ...options, ignoreHTTPSErrors: true })
    context.setDefaultTimeout(PATIENCE_MS)
    return new Window(name, await context.newPage())
  }

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
    const file = `${this.name}-${String(this.shots).padStart(2, '0')}-${name}.png`
    await this.page.screenshot({ path: join(process.env.SHOTS, file), fullPage: true })
  }

  async press(locator) {
    await submit(this.page, () => locator.click())
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true })
  }

  link(name) {
    return this.page.getByRole('link', { name })
  }

  async sees(heading) {
    await this.page.getByRole('heading', { level: 1, name: heading }).waitFor()
    await this.watch.checkLayout()
    await this.shoot(heading.toLowerCase().replace(/[^a-z]+/g, '-'))
  }

  async signsIn() {
    await this.page.locator('input[name=username]').fill(settings.username)
    await this.page.locator('input[type=password]').fill(settings.password)
    await this.press(this.button('Sign in'))
  }

  /** The account page, signing in there if need be. */
  async opensAccount() {
    await this.page.goto(ACCOUNT)
    if (await this.page.locator('input[type=password]').isVisible()) await this.signsIn()
    await this.sees('Your account')
    return this.page.locator('section[aria-labelledby=sessions] .held > li')
  }

  async isSignedOut() {
    await this.page.goto(ACCOUNT)
    return this.page.locator('input[type=password]').isVisible()
  }

  /** Lets the application have a scope; gives back its tokens. */
  async allows(scope, more = {}) {
    const verifier = randomBytes(32).toString('base64url')
    const url = new URL(`${settings.issuer}/authorize`)
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: settings.clientId,
      redirect_uri: settings.redirectUri,
      scope,
      prompt: 'consent',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    }).toString()
    await this.page.goto(url.href)
    if (await this.page.locator('input[name=username]').isVisible()) await this.signsIn()
    await this.press(this.button('Allow'))
    const code = new URL(this.page.url()).searchParams.get('code')
    check(code, `no code came back to ${this.page.url()}`)
    const { status, body } = await call('/token', { grant_type: 'authorization_code', code, redirect_uri: settings.redirectUri, code_verifier: verifier })
    check(status === 200, `the code was answered ${status}`)
    return body
  }
}

/** A request of the application itself. */
async function call(path, fields) {
  const credentials = Buffer.from(`${encodeURIComponent(settings.clientId)}:${encodeURIComponent(settings.clientSecret)}`).toString('base64')
  const answer = await fetch(`${settings.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams(fields),
  })
  return { status: answer.status, body: await answer.json() }
}

async function areRefused(tokens) {
  const refused = await call('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  check(refused.status === 400 && refused.body.error === 'invalid_grant', `the refresh token was answered ${refused.status}`)
  checkInactive((await call('/introspect', { token: tokens.access_token })).body)
}

async function endsOneSession(here, there) {
  const tokens = await there.step('elsewhere, an application gets tokens', () => there.allows(BOUND))
  await here.step('the account page shows both sessions and marks this one', async () => {
    const sessions = await here.opensAccount()
    check(await sessions.count() === 2, `the page shows ${await sessions.count()} sessions`)
    check(await here.page.getByText('This session', { exact: true }).count() === 1, 'not exactly one session is this one')
    const other = await sessions.filter({ hasNotText: 'This session' }).innerText()
    for (const words of ['Firefox on Windows', '127.0.0.1', 'Turin, Italy', 'Orders Notebook']) check(other.includes(words), `the other session does not say ${words}`)
  })
  await here.step('a session that is kept goes on', async () => {
    await here.press(here.link(/^End the session Firefox/))
    await here.sees('End this session?')
    await here.press(here.link('Keep'))
    check(!await there.isSignedOut(), 'the other browser is signed out')
  })
  await here.step('a session that is ended is gone at once', async () => {
    await here.opensAccount()
    await here.press(here.link(/^End the session Firefox/))
    await here.press(here.button('End session'))
    await here.sees('The session has ended')
    await here.press(here.link('Back to your account'))
    check(await (await here.opensAccount()).count() === 1, 'the ended session is still shown')
  })
  await there.step('the other browser is signed out', async () => check(await there.isSignedOut(), 'it is not'))
  await step('and its tokens are refused', () => areRefused(tokens))
}

async function removesAnApplication(here) {
  const tokens = await here.step('an application may work offline', () => here.allows(`${OFFLINE} ${settings.serviceScope}`, { resource: settings.resource }))
  await here.step('the account page shows what it may do', async () => {
    await here.opensAccount()
    const applications = await here.page.locator('section[aria-labelledby=applications] .held > li').innerText()
    for (const words of ['Orders Notebook', 'Recognise you', 'Works while you are signed out', 'Last used', settings.serviceScope]) {
      check(applications.includes(words), `it does not say ${words}`)
    }
  })
  await here.step('an application that is removed is gone at once', async () => {
    await here.press(here.link('Remove Orders Notebook'))
    await here.sees('Remove Orders Notebook?')
    await here.press(here.button('Remove'))
    await here.sees('Orders Notebook has been removed')
    await here.press(here.link('Back to your account'))
    check((await here.page.locator('body').innerText()).includes('No application has access'), 'it is still shown')
  })
  await step('and its tokens are refused', () => areRefused(tokens))
}

async function endsTheRest(here, there) {
  await there.step('elsewhere, the person signs in again', () => there.opensAccount())
  await here.step('signing out everywhere else asks first', async () => {
    await here.opensAccount()
    await here.press(here.link('Sign out everywhere else'))
    await here.sees('Sign out everywhere else?')
    await here.press(here.button('Sign out'))
    await here.sees('You are signed out everywhere else')
  })
  await there.step('the other browser is signed out', async () => check(await there.isSignedOut(), 'it is not'))
  await here.step('this browser is not, and signs out by itself', async () => {
    check(await (await here.opensAccount()).count() === 1, 'not this session alone is left')
    await here.press(here.link('Sign out of this session'))
    await here.press(here.button('Sign out'))
    check(await here.isSignedOut(), 'it is still signed in')
  })
}

/** Stands where the application would. */
async function application() {
  const { hostname, port } = new URL(settings.redirectUri)
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
for (const { name, ...options } of VISITORS) {
  console.log(`--    ${name}, JavaScript ${options.javaScriptEnabled ? 'on' : 'off'}`)
  const here = await Window.open(browser, name, options)
  const there = await Window.open(browser, `${name}-elsewhere`, { ...options, userAgent: ELSEWHERE })
  await endsOneSession(here, there)
  await removesAnApplication(here)
  await endsTheRest(here, there)
  await here.page.context().close()
  await there.page.context().close()
}
await browser.close()
server.close()
console.log('account: all steps passed')
