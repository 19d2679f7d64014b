/**
 * Writes the parity cases with the results of the float64 references into a file, for native/test/parity.cc, which runs
 * them without Node: `tsx test/parity/write-vectors.ts FILE`. The format is described there.
 */

import { closeSync, openSync, writeSync } from 'node:fs'
import { flatAttributes } from '../../src/device/native/composites.js'
import type { Shape } from '../../src/kernels/contract.js'
import { kernels } from '../../src/kernels/registry.js'
import { compositeCases, compositeReference } from './composites.js'
import { convolutionCases } from './convolution-cases.js'
import { casesOn } from './gaps.js'
import { runReference } from './harness.js'

const [path] = process.argv.slice(2)
if (!path) throw new Error('tsx test/parity/write-vectors.ts FILE')
const file = openSync(path, 'w')
const line = (...words: readonly (string | number)[]): number => writeSync(file, `${words.join(' ')}\n`)

function writeAttributes(attributes: object): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (Array.isArray(value)) line('attribute', name, 'list', value.length, ...value)
    else if (typeof value === 'string') line('attribute', name, 'name', value)
    else if (typeof value === 'number' || typeof value === 'boolean') line('attribute', name, 'number', Number(value))
  }
}

type Values = Float32Array | Uint32Array

function writeOperand(name: string, shape: Shape, values: Values, want: ArrayLike<number> | null): void {
  const words = values instanceof Uint32Array
  line('operand', name, words ? 'word' : 'float', want ? 'result' : 'given', shape.length, ...shape)
  writeSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  if (want) writeSync(file, new Uint8Array((words ? Uint32Array : Float64Array).from(want).buffer))
}

const byWinograd = convolutionCases('winograd').map((one) => ({
  ...one,
  label: `${one.label}, winograd`,
  attributes: { ...one.attributes, variant: 'winograd' },
}))
for (const one of [...casesOn('native'), ...byWinograd]) {
  line('case', one.kernel, one.tolerance, 1, one.label)
  writeAttributes(one.attributes)
  const contract = kernels.get(one.kernel)!
  const want = runReference(contract, one)
  for (const [name, { shape, values }] of Object.entries(one.operands)) {
    writeOperand(name, shape, values, contract.operands[name].access === 'read' ? null : want[name].data)
  }
  line('end')
}

for (const one of compositeCases) {
  // twice: nothing may be left over from one replay that the next one adds to
  line('case', one.composite, one.tolerance, 2, one.label)
  writeAttributes(flatAttributes(one.attributes))
  const want = await compositeReference(one)
  for (const [name, { shape, values }] of Object.entries(one.given)) writeOperand(name, shape, values, null)
  // gaps of a gradient keep what was there before, which the reference's have as well
  for (const [name, shape] of Object.entries(one.written)) {
    writeOperand(
      name,
      shape,
      Float32Array.from(want[name], () => -987.25),
      want[name],
    )
  }
  line('end')
}
closeSync(file)
