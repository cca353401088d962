// Watches one browser tab: the headers of every page of the provider, and whatever the browser complains of.
import { check } from './run.mjs'

/** Headers that every page must carry, each with what its value must hold. */
const HEADERS = [
  ['content-security-policy', /default-src 'none'/],
  ['content-security-policy', /frame-ancestors 'none'/],
  ['content-security-policy', /base-uri 'none'/],
  ['content-security-policy', /form-action /],
  ['content-security-policy', /^(?!.*unsafe-)/],
  ['x-frame-options', /^DENY$/i],
  ['x-content-type-options', /^nosniff$/i],
  ['referrer-policy', /./],
  ['cache-control', /no-store/],
]

export class PageWatch {
  #page
  #complaints = []
  #pagesSeen = 0

  constructor(page, issuer) {
    this.#page = page
    const origin = new URL(issuer).origin
    page.on('pageerror', (error) => this.#complaints.push(`script error: ${error.message}`))
    page.on('console', (message) => this.#heard(message))
    page.on('requestfailed', (request) => {
      // What a page still loads when it is left is given up; what a policy forbids fails with another word.
      const givenUp = request.failure()?.errorText === 'net::ERR_ABORTED'
      if (!request.isNavigationRequest() && !givenUp) this.#complaints.push(`not loaded: ${request.url()}`)
    })
    page.on('response', (response) => {
      if (new URL(response.url()).origin === origin) this.#received(response)
    })
  }

  #heard(message) {
    if (message.type() !== 'error') return
    // Chromium reports a page answered with 4xx as an error; a refused password may be one.
    const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text())
    if (refused && message.location().url === this.#page.url()) return
    this.#complaints.push(`console: ${message.text()}`)
  }

  #received(response) {
    const { pathname } = new URL(response.url())
    const status = response.status()
    if (!response.request().isNavigationRequest()) {
      if (status >= 400) this.#complaints.push(`${pathname} answered ${status}`)
      return
    }
    if (status >= 300 && status < 400) return
    this.#pagesSeen += 1
    if (status >= 500) this.#complaints.push(`${pathname} answered ${status}`)
    const headers = response.headers()
    for (const [name, pattern] of HEADERS) {
      if (!pattern.test(headers[name] ?? '')) this.#complaints.push(`${pathname} has ${name}: ${headers[name] ?? 'nothing'}, which does not match ${pattern}`)
    }
  }

  /** Everything complained of so far, each once. */
  complaints() {
    return [...new Set(this.#complaints)]
  }

  /** Fails if anything was complained of so far. */
  check() {
    check(this.#complaints.length === 0, 'the browser or a header complains')
  }

  /** The page in front is the provider's, has been checked, names itself and its language, and fits the window. */
  async checkLayout() {
    check(this.#pagesSeen > 0, 'no page of the provider was seen, so no header was checked')
    check((await this.#page.title()).trim() !== '', 'the page has no title')
    check(await this.#page.locator('html[lang]').count() === 1, 'the page does not name its language')
    check(await this.#page.locator('[style], script:not([src])').count() === 0, 'the page has inline style or script')
    const tooWide = await this.#page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
    check(!tooWide, 'the page is wider than the window')
  }
}
