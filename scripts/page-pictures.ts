/**
 * `npm run page:pictures [-- NAME …]`: takes pictures of build/page/index.html in headless Chromium on SwiftShader, into
 * build/page/: `light` and `dark` with a point picked, `narrow` after training, `no-webgpu`. Prints when the first picture stood and
 * when the models had taken over.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { findChromium } from '../bench/chromium.js'
import { type Look, Tab } from '../bench/tab.js'

const folder = fileURLToPath(new URL('../build/page/', import.meta.url))
const address = pathToFileURL(join(folder, 'index.html')).href
const chromium = findChromium('pictures of the page')
/** Names of the pictures that are taken; none: all. */
const wanted = process.argv.slice(2)
/** Seconds. */
const PATIENCE = 600

/** Opens the page, waits for what is to be seen, and takes the picture. */
async function picture(name: string, look: Look, gpu: boolean, see: (tab: Tab) => Promise<void>): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(name)) return
  const tab = await Tab.open(chromium!, { gpu })
  try {
    await tab.look(look)
    const began = performance.now()
    const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`
    await tab.visit(address)
    await tab.until('document.body.dataset.shown', PATIENCE)
    const first = seconds()
    const over = gpu
      ? "document.body.dataset.shown.startsWith('live')"
      : "document.body.dataset.state === 'unsupported'"
    await tab.until(over, PATIENCE)
    console.log(`${name}: first picture after ${first}, ${gpu ? 'live' : 'notice'} after ${seconds()}`)
    await see(tab)
    writeFileSync(join(folder, `${name}.png`), await tab.picture({ whole: true }))
    for (const line of [...tab.console, ...tab.requests]) console.log(`  ${line}`)
  } finally {
    await tab.close()
  }
}

const click = (id: string): string => `document.getElementById('${id}').click()`
const setTime = (time: number): string =>
  `(() => { const time = document.getElementById('time'); time.value = ${time}; time.dispatchEvent(new Event('input')) })()`

/** Stops at a chain time and asks for a point of the left leaf. */
async function pickedAt(tab: Tab, time: number): Promise<void> {
  await tab.value(setTime(time))
  await tab.value("document.getElementById('chain-plane').focus()")
  for (const key of ['ArrowLeft', 'ArrowDown']) for (let i = 0; i < 20; i++) await tab.press(key)
  await tab.press('Enter')
  await tab.until("/nats/.test(document.getElementById('reading').textContent)", PATIENCE)
  await tab.value('document.activeElement.blur()')
}

if (chromium) {
  await picture('light', {}, true, (tab) => pickedAt(tab, 4))
  await picture('dark', { dark: true }, true, (tab) => pickedAt(tab, 1.5))
  await picture('narrow', { width: 390, height: 844, reducedMotion: true }, true, async (tab) => {
    await tab.value(click('train'))
    await tab.until("/^Trained/.test(document.getElementById('training-status').textContent)", PATIENCE)
  })
  await picture('no-webgpu', {}, false, (tab) => pickedAt(tab, 2.5))
}
