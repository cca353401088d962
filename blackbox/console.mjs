// Walks the console in Chromium as administrators do: every page in light and dark, at a desk and on a phone, with JavaScript and without;
// revokes from the four places, once by keyboard alone; and has axe look at every page for what would keep somebody out.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { launch, submit } from './chromium.mjs'
import { PageWatch } from './page_watch.mjs'
import { check, settings, step } from './run.mjs'

const PATIENCE_MS = 15_000
const CONSOLE = `${settings.issuer}/console`
const ADMINISTRATOR = process.env.ADMINISTRATOR

const VISITORS = [
  { name: 'console-desk', javaScriptEnabled: true, colorScheme: 'light', viewport: { width: 1280, height: 860 } },
  { name: 'console-desk-dark', javaScriptEnabled: true, colorScheme: 'dark', viewport: { width: 1280, height: 860 } },
  { name: 'console-phone', javaScriptEnabled: true, colorScheme: 'light', viewport: { width: 390, height: 800 }, hasTouch: true },
  { name: 'console-phone-dark', javaScriptEnabled: false, colorScheme: 'dark', viewport: { width: 360, height: 740 } },
]

/** Every page that has an address of its own, with the heading it must have. */
const PAGES = [
  ['', 'Overview'],
  ['/users', 'Users'],
  ['/new-user', 'Add a user'],
  ['/applications', 'Applications'],
  ['/applications/rescind-console', 'Console'],
  ['/apis', 'APIs'],
  ['/sessions', 'Sessions'],
  ['/revocations', 'Revocations'],
  ['/audit', 'Audit'],
  ['/settings', 'Settings'],
  ['/scripts', 'Scripts'],
  ['/scripts/guard', 'guard'],
  ['/administrators', 'Administrators'],
  ['/revoke?kind=everything', 'Revoke tokens'],
]

/** One window of an administrator. */
class Window {
  constructor(name, page, scripts) {
    this.name = name
    this.page = page
    this.scripts = scripts
    this.watch = new PageWatch(page, settings.issuer)
    this.alarms = []
    // A hostile name that came to life would open one.
    page.on('dialog', (dialog) => {
      this.alarms.push(dialog.message())
      dialog.dismiss().catch(() => {})
    })
  }

  static async open(browser, { name, ...options }) {
    const context = await browser.newContext({ ...options, ignoreHTTPSErrors: true })
    context.setDefaultTimeout(PATIENCE_MS)
    return new Window(name, await context.newPage(), options.javaScriptEnabled)
  }

  async step(title, work) {
    return step(`${this.name}: ${title}`, async () => {
      try {
        const result = await work()
        this.watch.check()
        check(this.alarms.length === 0, `a name came to life: ${this.alarms}`)
        return result
      } catch (error) {
        await this.shoot('failed')
        throw new Error([error.message, this.page.url(), ...this.watch.complaints()].join('; '))
      }
    })
  }

  async shoot(name, fullPage = true) {
    if (process.env.SHOTS) await this.page.screenshot({ path: join(process.env.SHOTS, `${this.name}-${name}.png`), fullPage })
  }

  /** The page in front has this heading, fits the window, keeps nobody out, and its picture is taken. */
  async sees(heading, shot) {
    await this.page.getByRole('heading', { level: 1, name: heading }).first().waitFor()
    await this.watch.checkLayout()
    await this.isOpenToAll()
    if (shot) await this.shoot(shot)
  }

  /** What axe finds that is serious or critical. */
  async isOpenToAll() {
    if (!this.scripts) return
    await this.page.evaluate(axe.source)
    const found = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    const grave = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    const words = grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} [${node.failureSummary?.split('\n')[1]?.trim()}]`).join(' | ')}`)
    check(grave.length === 0, `axe: ${words.join('; ')}`)
  }

  async goes(path) {
    await this.page.goto(`${CONSOLE}${path}`)
  }

  async press(locator) {
    await submit(this.page, () => locator.click())
  }

  row(words) {
    return this.page.locator('tbody tr').filter({ hasText: words }).first()
  }

  dialog() {
    return this.scripts ? this.page.locator('#dialog') : this.page.locator('.sheet')
  }

  /** Follows a link to the dialog, by whatever way it opens here. */
  async opensDialog(locator) {
    if (this.scripts) await locator.click()
    else await this.press(locator)
    await this.dialog().getByRole('heading', { level: 1, name: 'Revoke tokens' }).waitFor()
  }

  async says(words) {
    const text = await this.dialog().innerText()
    for (const word of words) check(text.includes(word), `the dialog does not say ${word}: ${text}`)
  }

  async cancels() {
    if (this.scripts) {
      await this.dialog().getByRole('link', { name: 'Cancel' }).click()
      await this.page.waitForFunction(() => !document.getElementById('dialog').open)
    } else await this.press(this.dialog().getByRole('link', { name: 'Cancel' }))
  }

  /** Presses Tab until something has the focus. */
  async tabsTo(locator) {
    for (let presses = 0; presses < 200; presses += 1) {
      if (await locator.evaluate((element) => element === document.activeElement)) return
      await this.page.keyboard.press('Tab')
    }
    throw new Error(`200 times Tab does not lead to ${locator}`)
  }
}

async function signsIn(window) {
  await window.step('signs in', async () => {
    await window.goes('/users?search=nobody')
    await window.page.locator('input[name=username]').fill(ADMINISTRATOR)
    await window.page.locator('input[type=password]').fill(settings.password)
    await window.page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await window.page.waitForURL(/\/console\/users\?search=nobody$/)
    const cookies = await window.page.context().cookies(`${CONSOLE}/`)
    const token = cookies.find(({ name }) => name.endsWith('rescind_console'))
    check(token?.httpOnly && token.sameSite === 'Strict' && token.path === new URL(CONSOLE).pathname, 'the token is in no cookie of the right kind')
    check(!(await window.page.content()).includes(token.value), 'the token is in the page')
  })
}

async function walks(window) {
  for (const [path, heading] of PAGES) {
    await window.step(`sees ${heading} at ${path || '/'}`, async () => {
      await window.goes(path)
      await window.sees(heading, path.replace(/[^a-z]+/g, '-').replace(/^-|-$/g, '') || 'overview')
    })
  }
  await window.step('sees a user in every tab', async () => {
    await window.goes('/users')
    await window.press(window.row('Ada Lovelace').getByRole('link', { name: 'Ada Lovelace' }))
    await window.sees('Ada Lovelace', 'user')
    for (const tab of ['Sessions', 'Devices', 'Grants', 'Audit', 'OIDC and OAuth Tokens']) {
      await window.press(window.page.locator('.tabs').getByRole('link', { name: tab }))
      await window.sees('Ada Lovelace', `user-${tab.toLowerCase().replaceAll(' ', '-')}`)
    }
    await window.press(window.page.getByRole('link', { name: 'Change' }))
    await window.sees(/^Change/, 'user-change')
  })
  await window.step('sees a setting, a revocation and what is not there', async () => {
    await window.goes('/settings')
    await window.press(window.page.locator('tbody a').first())
    await window.sees(/./, 'setting')
    await window.goes('/revocations')
    await window.press(window.page.locator('tbody th a').first())
    await window.sees(/^Revocation /, 'receipt')
    await window.goes('/nowhere')
    await window.sees('There is nothing here', 'nothing')
  })
}

/** The four places of the dialog, each looked at and left again. */
async function looks(window) {
  const places = [
    ["a token's row", async () => {
      await opensTokens(window)
      return window.row('Calendar').getByRole('link', { name: /^Revoke/ })
    }, ['Access tokens']],
    ["the user's row", async () => {
      await window.goes('/users')
      return window.row('Ada Lovelace').getByRole('link', { name: /^Revoke/ })
    }, ['Ada Lovelace', 'in every application', 'This ends']],
    ["the user's details", async () => {
      await opensTokens(window)
      return window.page.getByRole('link', { name: 'Revoke all tokens' })
    }, ['Ada Lovelace']],
    ["the application's row", async () => {
      await window.goes('/applications')
      return window.row('Orders Notebook').getByRole('link', { name: /^Revoke the tokens/ })
    }, ['Orders Notebook', 'for all users']],
    ['Revoke All Tokens of the application', async () => {
      await window.goes('/applications')
      await window.row('Orders Notebook').locator('summary').click()
      return window.row('Orders Notebook').getByRole('link', { name: 'Revoke all tokens' })
    }, ['Orders Notebook', 'for all users']],
    ["the API's row", async () => {
      await window.goes('/apis')
      return window.row('https://orders.example').getByRole('link', { name: /^Revoke/ })
    }, ['Orders', 'stops working there']],
  ]
  for (const [number, [name, find, words]] of places.entries()) {
    await window.step(`the dialog opens from ${name}, and ends nothing unless it is told to`, async () => {
      const link = await find()
      await window.opensDialog(link)
      await window.says(words)
      await window.isOpenToAll()
      await window.shoot(`dialog-${number + 1}`, !window.scripts)
      await window.cancels()
    })
  }
}

async function opensTokens(window) {
  await window.goes('/users')
  await window.press(window.row('Ada Lovelace').getByRole('link', { name: 'Ada Lovelace' }))
}

/** A token's row, with no hand on the mouse. */
async function revokesByKeyboard(window) {
  await window.step('by keyboard alone, a token is revoked and the receipt appears', async () => {
    await opensTokens(window)
    const before = await window.page.getByRole('link', { name: /^Revoke what/ }).count()
    const link = window.row('Mail on the Move').getByRole('link', { name: /^Revoke/ })
    await window.tabsTo(link)
    await window.page.keyboard.press('Enter')
    const dialog = window.dialog()
    await dialog.getByRole('heading', { name: 'Revoke tokens' }).waitFor()
    await window.tabsTo(dialog.getByLabel('Reason'))
    await window.page.keyboard.press('ArrowUp')
    await window.tabsTo(dialog.getByLabel(/^Note/))
    await window.page.keyboard.type('seen where it should not be')
    await window.tabsTo(dialog.getByRole('button', { name: 'Revoke', exact: true }))
    await window.page.keyboard.press('Enter')
    await dialog.getByRole('heading', { name: 'Revoked', exact: true }).waitFor()
    await dialog.getByText('seen where it should not be').waitFor()
    await dialog.getByText('Policy', { exact: true }).waitFor()
    await window.isOpenToAll()
    await window.shoot('receipt-in-dialog', false)
    await submit(window.page, () => window.page.keyboard.press('Escape'))
    await window.page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor()
    const after = await window.page.getByRole('link', { name: /^Revoke what/ }).count()
    check(after < before, `there are ${after} live tokens, and were ${before}`)
  })
}

/** An API's row, without JavaScript: pages and forms alone. */
async function revokesByPages(window) {
  await window.step('without JavaScript, the same dialog is a page and leads to the receipt', async () => {
    await window.goes('/apis')
    await window.opensDialog(window.row('https://orders.example').getByRole('link', { name: /^Revoke/ }))
    await window.page.getByLabel(/^Note/).fill('by pages alone')
    await window.press(window.page.getByRole('button', { name: 'Revoke', exact: true }))
    await window.sees(/^Revocation /, 'receipt-page')
    check((await window.page.locator('main').innerText()).includes('by pages alone'), 'the receipt does not have the note')
  })
}

/** Several users in one job, if the server has such. */
async function choosesSeveral(window) {
  await window.step('several users are chosen, and asked about once', async () => {
    await window.goes('/users')
    for (const name of ['Grace Hopper', 'Alan Turing']) await window.row(name).getByRole('checkbox').check()
    await window.press(window.page.getByRole('button', { name: 'Revoke', exact: true }))
    await window.sees('Revoke all tokens of 2 users?', 'bulk')
    await window.press(window.page.getByRole('button', { name: 'Revoke', exact: true }))
    await window.page.getByRole('heading', { level: 1, name: 'A job for several users' }).waitFor()
    for (let looks = 0; !window.scripts && looks < 100; looks += 1) {
      if (await window.page.getByText('2 of 2 done').isVisible()) break
      await window.page.reload()
    }
    await window.page.getByText('2 of 2 done').waitFor()
    await window.sees('A job for several users', 'job')
  })
}

/** An order for tomorrow, and back. */
async function schedules(window) {
  await window.step('an order for later waits, and is withdrawn', async () => {
    await window.goes('/users')
    await window.opensDialog(window.row('Grace Hopper').getByRole('link', { name: /^Revoke/ }))
    await window.dialog().getByText('Not now, but later').click()
    await window.dialog().getByLabel('At (UTC)').fill(new Date(Date.now() + 86_400_000).toISOString().slice(0, 16))
    await window.dialog().getByRole('button', { name: 'Revoke', exact: true }).click()
    if (window.scripts) {
      await window.dialog().getByRole('heading', { name: 'Not carried out yet' }).waitFor()
      await window.isOpenToAll()
      await window.press(window.dialog().getByRole('link', { name: 'Its page' }))
    }
    await window.sees('A revocation that waits', 'pending')
    await window.goes('/revocations')
    await window.sees('Revocations', 'revocations-waiting')
    await window.press(window.page.getByRole('link', { name: 'Look and decide' }).first())
    await window.press(window.page.getByRole('button', { name: 'Withdraw' }))
    await window.page.getByText('Withdrawn. Nothing was ended.').waitFor()
  })
}

async function endsItself(window) {
  await window.step('who ends their own access still sees that it was done', async () => {
    await window.goes('/users')
    await window.press(window.row('Rosa Root').getByRole('link', { name: 'Rosa Root' }))
    await window.opensDialog(window.page.getByRole('link', { name: 'Revoke all tokens' }))
    const form = window.dialog()
    await form.getByRole('button', { name: 'Revoke', exact: true }).click()
    await window.page.getByRole('heading', { name: 'Revoked, and you with it' }).waitFor()
    await window.shoot('outcome', !window.scripts)
    await window.press(window.page.getByRole('link', { name: 'Sign in again' }))
    await window.page.locator('input[name=username]').waitFor()
  })
}

/** The pictures of docs/console.md. */
async function poses(browser) {
  const phone = await Window.open(browser, { name: 'picture', javaScriptEnabled: true, colorScheme: 'dark', viewport: { width: 390, height: 780 }, hasTouch: true })
  await signsIn(phone)
  await phone.step('poses on a phone', async () => {
    await phone.goes('/applications')
    await phone.opensDialog(phone.row('Orders Notebook').getByRole('link', { name: /^Revoke the tokens/ }))
    await phone.shoot('phone', false)
  })
  const desk = await Window.open(browser, { name: 'picture', javaScriptEnabled: true, colorScheme: 'light', viewport: { width: 1280, height: 800 } })
  await signsIn(desk)
  for (const [path, name] of [['', 'overview'], ['/users', 'users'], ['/revocations', 'revocations']]) {
    await desk.step(`poses for ${name}`, async () => {
      await desk.goes(path)
      await desk.shoot(name, false)
    })
  }
  await desk.step('poses for the user, the dialog and the receipt', async () => {
    await opensTokens(desk)
    await desk.shoot('user', false)
    await desk.opensDialog(desk.page.getByRole('link', { name: 'Revoke all tokens' }))
    await desk.shoot('dialog', false)
    await desk.dialog().getByLabel('Reason').selectOption('left_company')
    await desk.dialog().getByLabel(/^Note/).fill('Last day today')
    await desk.dialog().getByRole('button', { name: 'Revoke', exact: true }).click()
    await desk.dialog().getByRole('heading', { name: 'Revoked', exact: true }).waitFor()
    await desk.dialog().getByText('Complete', { exact: true }).waitFor()
    await desk.press(desk.dialog().getByRole('link', { name: "The receipt's page" }))
    await desk.shoot('receipt', false)
  })
}

if (process.env.SHOTS) mkdirSync(process.env.SHOTS, { recursive: true })
const browser = await step('Chromium starts', launch)
if (process.env.PICTURES) {
  await poses(browser)
  await browser.close()
  process.exit(0)
}
for (const visitor of VISITORS) {
  const window = await Window.open(browser, visitor)
  await signsIn(window)
  await walks(window)
  await looks(window)
  if (visitor.name === 'console-desk') await revokesByKeyboard(window)
  if (!window.scripts) await revokesByPages(window)
  await choosesSeveral(window)
  await schedules(window)
  await endsItself(window)
  await window.page.context().close()
}
await browser.close()
console.log('console: all steps passed')
