/** Samples block by block and in ranges: always the same rows, whatever they are drawn together with. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNpy } from '../../src/data/npy.js'
import { data, LocalFlow } from '../../src/index.js'
import { engine, lfm, workFolder } from '../cli/lfm.js'
import { describeOn } from '../devices.js'

await describeOn(['reference', 'native', 'webgpu'], 'ranges of samples', (_, kind) => {
  test('blocks and ranges are pieces of one sequence, to the bit', async () => {
    await using flow = await LocalFlow.train(data.toy('moons').sample(200, 1), {
      columns: 2,
      model: { hidden: [8] },
      flow: { n: 'auto' },
      train: { batch: 50, steps: 3 },
      device: kind as 'reference',
    })
    const whole = (await flow.sample(50)).values
    const blocks: number[] = []
    const done: number[] = []
    for await (const { values, shape } of flow.sampleBlocks(50, { block: 16, onProgress: (rows) => done.push(rows) })) {
      expect(shape).toEqual([values.length / 2, 2])
      blocks.push(...values)
    }
    expect(blocks).toEqual([...whole])
    expect(done).toEqual([16, 32, 48, 50])
    const rest: number[] = []
    for await (const { values } of flow.sampleBlocks(50, { block: 16, skip: 23 })) rest.push(...values)
    expect(rest).toEqual([...whole.slice(46)])
    for (const solver of ['rk4', 'dopri5'] as const) {
      const all = (await flow.sample(50, { solver, steps: 1 })).values
      const range = (await flow.sample(20, { solver, steps: 1, first: 30 })).values
      expect([...range]).toEqual([...all.slice(60)])
    }
    const maps = await flow.distill({ kind: 'pairs', into: 1, train: { batch: 20, steps: 2 } })
    const [all, range] = [await maps.sample(30), await maps.sample(10, { first: 20 })]
    expect([...range.values]).toEqual([...all.values.slice(40)])
    await maps.dispose()
    await expect(flow.sample(5, { first: 2 ** 32 - 2 })).rejects.toThrow('first + n at most 4294967296')
    await expect(flow.sample(5, { first: -1 })).rejects.toThrow('first must be a whole number from 0 on')
    await expect(flow.sampleBlocks(5, { block: 0 }).next()).rejects.toThrow('block must be a whole number')
    await expect(flow.sampleBlocks(5, { skip: 0.5 }).next()).rejects.toThrow('skip must be a whole number')
  })
})

test('each block is told what its own rows are told', async () => {
  const x = Array.from({ length: 60 }, (_, i) => [Math.sin(i), i % 3])
  const settings = { model: { hidden: [8] }, flow: { gammas: [null] }, train: { batch: 20, steps: 3 } } as const
  const kinds = [Array.from({ length: 60 }, (_, i) => [i % 3]), Array.from({ length: 60 }, (_, i) => [i % 3, i])]
  for (const cond of kinds) {
    await using flow = await LocalFlow.train(x, { ...settings, cond, device: engine })
    const whole = (await flow.sample(60, { cond })).values
    const blocks: number[] = []
    for await (const { values } of flow.sampleBlocks(60, { cond, block: 25 })) blocks.push(...values)
    expect(blocks).toEqual([...whole])
    for await (const { values } of flow.sampleBlocks(60, { cond: cond[1], block: 25 }))
      expect(values).not.toEqual(whole)
    const wrong = flow.sampleBlocks(60, { cond: cond.slice(1), block: 25 })
    await expect(wrong.next()).rejects.toThrow('cond has 59 rows, but there are 60')
  }
})

test('lfm sample --first draws a range: files of ranges joined are the file of all', async () => {
  const cwd = workFolder({
    'moons.yaml':
      'data: { kind: toy, name: moons, train: 200 }\nmodel: { hidden: [8] }\nflow: { n: auto }\n' +
      `train: { batch: 50, steps: 3 }\ndevice: ${engine}\n`,
  })
  const run = async (words: string) => expect((await lfm(words.split(' '), { cwd })).code).toBe(0)
  await run('train moons.yaml --out run')
  for (const kind of ['csv', 'npy']) {
    await run(`sample run -n 30 -o all.${kind}`)
    await run(`sample run -n 20 -o a.${kind}`)
    await run(`sample run -n 10 --first 20 -o b.${kind}`)
  }
  const lines = (name: string): string[] =>
    readFileSync(join(cwd, `${name}.csv`), 'utf8')
      .trimEnd()
      .split('\n')
  expect([...lines('a'), ...lines('b').slice(1)]).toEqual(lines('all'))
  const values = async (name: string) => [...(await readNpy(join(cwd, `${name}.npy`))).values]
  expect([...(await values('a')), ...(await values('b'))]).toEqual(await values('all'))
})
