// How Chromium is started here, and how a form is sent in it.
import { chromium } from 'playwright-core'

const PROGRAM = process.env.CHROMIUM || '/usr/bin/chromium'
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Starts it. */
export function launch() {
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS })
}

/** Does what leads to another page, and waits until that page is there. */
export async function submit(page, act) {
  const arrival = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame())
  await Promise.all([arrival, act()])
  await page.waitForLoadState()
}
