/**
 * The page: what was recorded is on the canvas at once, and the models take over as soon as the browser's GPU has them. Where there
 * is no GPU the recording stays.
 */

import { DeviceError, LocalFlow, openDevice } from 'local-flow-matching/browser'
import { type Address, hashOf, readAddress, seedOf } from './address.js'
import { ChainSection } from './chain-section.js'
import { ComparisonSection } from './comparison-section.js'
import { DrawingSection } from './drawing-section.js'
import { button, element, input, write } from './elements.js'
import { latest } from './latest.js'
import { liveSource, type Models } from './live.js'
import { type Files, folderOf, unpack } from './pack.js'
import { dataOf, recordedSource } from './recorded.js'
import { evaluationChoices, FIRST_SEED, type Source } from './source.js'

/** Points that are shown live: more where a GPU carries them. */
const POINTS = { hardware: 6000, software: 3000, cpu: 3000 } as const

/** The files that the page carries. */
async function carried(): Promise<Files> {
  const bytes = Uint8Array.from(atob(element('pack', HTMLScriptElement).text), (letter) => letter.charCodeAt(0))
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return unpack(new Uint8Array(await new Response(unpacked).arrayBuffer()))
}

function notice(text: string): void {
  const place = element('notice', HTMLParagraphElement)
  place.hidden = false
  place.textContent = text
}

const files = await carried()
const { gammas } = JSON.parse(new TextDecoder().decode(files.get('about.json'))) as { gammas: (number | null)[] }
const reduced = matchMedia('(prefers-reduced-motion: reduce)')
const failed = (error: unknown): void => notice((error as Error).message)
const chain = new ChainSection(gammas, failed)
const comparison = new ComparisonSection(dataOf(files))
const drawing = new DrawingSection(() => reduced.matches)

let address: Address = readAddress(location.hash)
let source: Source = recordedSource(files, gammas.length)

const show = latest(async (wanted: { source: Source; address: Address }) => {
  const samples = await chain.show(wanted.source, wanted.address)
  await comparison.show(wanted.source, samples, wanted.address)
  // what is on the canvases, for whoever waits for it
  document.body.dataset.shown = `${wanted.source.live ? 'live' : 'recorded'} ${wanted.address.seed} ${wanted.address.evaluations}`
}, failed)

const evaluationInputs = document.querySelectorAll<HTMLInputElement>('input.evaluations')

/** Takes seed and evaluations: into the address, the controls and the canvases. */
function take(wanted: Partial<Address>): void {
  address = { ...address, ...wanted }
  history.replaceState(null, '', hashOf(address))
  input('seed').value = String(address.seed)
  for (const slider of evaluationInputs) {
    slider.value = String((evaluationChoices as readonly number[]).indexOf(address.evaluations))
    slider.setAttribute('aria-valuetext', String(address.evaluations))
  }
  for (const output of document.querySelectorAll('output.evaluations')) output.textContent = String(address.evaluations)
  show({ source, address })
}

for (const slider of evaluationInputs) {
  slider.max = String(evaluationChoices.length - 1)
  slider.addEventListener('input', () => take({ evaluations: evaluationChoices[Number(slider.value)] }))
}
input('seed').addEventListener('change', () => take({ seed: seedOf(input('seed').value) ?? address.seed }))
button('another').addEventListener('click', () =>
  take({ seed: crypto.getRandomValues(new Uint32Array(1))[0] % 100_000 }),
)
addEventListener('hashchange', () => take(readAddress(location.hash)))

/** Whether another seed can be asked for: only of the models. */
function allowSeeds(allowed: boolean): void {
  input('seed').disabled = button('another').disabled = !allowed
}

allowSeeds(false)
const asked = address.seed
take({ seed: FIRST_SEED })
if (reduced.matches) chain.rest()
else chain.play()
write('status', 'A recording, until the GPU has the models.')

try {
  const on = await openDevice({ autotune: false })
  const load = (name: keyof Models): Promise<LocalFlow> => LocalFlow.load(folderOf(files, name), { on })
  const models = { chain: await load('chain'), plain: await load('plain'), student: await load('student') }
  source = liveSource(models, POINTS[on.info.type])
  drawing.allow(on)
  allowSeeds(true)
  write('status', `Live, on ${on.info.name}.`)
  Object.assign(globalThis, { localFlow: { ...models, LocalFlow, device: on } })
  document.body.dataset.state = 'live'
  take({ seed: asked })
} catch (error) {
  if (!(error instanceof DeviceError)) throw error
  document.body.dataset.state = 'unsupported'
  notice(`${error.message} What plays here was recorded with the seed ${FIRST_SEED}.`)
  write('status', 'A recording.')
  drawing.allow(null, 'Training needs WebGPU.')
}
