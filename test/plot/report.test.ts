/** The run report: it stands alone, says what it was given, and escapes it. */
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { lossFigure, type ReportInput, renderPng, renderReport } from '../../src/plot/index.js'

const steps = [1, 2, 3, 4]
const png = await renderPng(await lossFigure({ series: [{ label: 'sub-flow 1', steps, loss: [4, 3, 2, 1] }] }))

const run: ReportInput = {
  title: 'rose',
  date: '2026-11-24T10:11:12.345Z',
  runFolder: 'runs/rose',
  device: { kind: 'native', adapter: 'Some CPU', cpuTarget: 'avx2' },
  data: { description: 'image-density, rose.png', dimensions: 2, train: 100_000, validation: 0, test: 10_000 },
  model: 'mlp 256 · 256',
  subFlows: [0.025, 0.031, null].map((gamma) => ({
    gamma,
    interpolant: 'linear',
    steps: 2000,
    parameters: 133_122,
    finalLoss: 0.05,
  })),
  batch: 500,
  seed: 1103,
  trainSeconds: 354.2,
  pushSeconds: 12.3,
  stepMs: 29.5,
  sampling: { solver: 'rk4, 8 steps a sub-flow', nfe: 96, n: 10_000 },
  pictures: { samples: png, forward: png, backward: png, loss: png },
  config: 'seed: 1103\n',
  versions: { 'local-flow-matching': '0.1.0', node: 'v20.20.2' },
  reproduce: ['lfm train rose.yaml --out runs/rose'],
}

const evaluation = {
  nll: 2.829,
  entropy: 2.4857,
  kl: 0.3433,
  bitsPerDim: 2.0407,
  nfe: 240,
  n: 10_000,
  doublingChange: -0.000012,
  solver: 'rk4, 20 steps a sub-flow',
  trace: 'exact',
  device: 'native',
  seconds: 41.2,
}

describe('renderReport', () => {
  it('needs nothing but itself: no address, no script, pictures inside that decode', async () => {
    const html = renderReport({ ...run, evaluation })
    expect(html).not.toMatch(/https?:|<script|<link|@import|url\(/)
    const sources = [...html.matchAll(/\ssrc="([^"]*)"/g)].map((match) => match[1])
    expect(sources).toHaveLength(4)
    for (const source of sources) {
      expect(source).toMatch(/^data:image\/png;base64,/)
      const decoded = await sharp(Buffer.from(source.split(',')[1], 'base64')).metadata()
      expect(decoded).toMatchObject({ format: 'png', width: (await sharp(png).metadata()).width })
    }
  })

  it('adds up steps, samples seen and parameters', () => {
    const html = renderReport(run)
    expect(html).toContain('6000 steps in all, batch 500: 3\u2009000\u2009000 samples seen')
    expect(html).toContain('399\u2009366 in all, 133\u2009122 in each sub-flow')
    expect(html).toContain('γ = 0.025, 0.031, free; linear interpolant')
    expect(html).toContain('5 min 54 s training (29.5 ms a step), 12.3 s pushing')
    expect(html).toContain('up to X₃, which should look like Gaussian noise')
    expect(html).toContain('native · Some CPU · avx2')
    expect(html).toContain('96 function evaluations a sample (rk4, 8 steps a sub-flow)')
  })

  it('shows the likelihood where it was evaluated, else the command that evaluates it', () => {
    const with_ = renderReport({ ...run, evaluation })
    for (const part of [
      '2.8290',
      '2.4857',
      '0.3433',
      '2.0407',
      '240 function evaluations',
      '−0.000012 nats',
      'exact',
    ]) {
      expect(with_).toContain(part)
    }
    expect(with_).not.toContain('Not evaluated')
    const without = renderReport(run)
    expect(without).toContain('<code>lfm evaluate runs/rose</code>')
    expect(without).not.toContain('NLL')
  })

  it('leaves out entropy and KL where the true density is not known, and sections without a picture', () => {
    const html = renderReport({ ...run, pictures: {}, evaluation: { ...evaluation, entropy: null, kl: null } })
    expect(html).toContain('NLL')
    expect(html).not.toMatch(/Entropy|KL\(|<img|forward chain/)
  })

  it('escapes every text it is given', () => {
    const bad = `<img src=x onerror="alert('1')">&`
    const html = renderReport({
      ...run,
      title: bad,
      date: bad,
      runFolder: bad,
      device: { kind: bad, adapter: bad, cpuTarget: bad },
      data: { ...run.data, description: bad },
      model: bad,
      subFlows: [{ ...run.subFlows[0], interpolant: bad }],
      sampling: { ...run.sampling, solver: bad },
      evaluation: { ...evaluation, solver: bad, trace: bad, device: bad },
      remarks: [bad],
      config: bad,
      versions: { [bad]: bad },
      reproduce: [bad],
      pictures: {},
    })
    expect(html).not.toContain('<img')
    expect(html).not.toContain("alert('")
    expect(html).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;')
    expect(renderReport({ ...run, pictures: {}, runFolder: bad })).not.toContain('<img')
  })

  it('says what each picture shows, and the same end of the loss as its table', () => {
    const html = renderReport(run)
    const alts = [...html.matchAll(/<img class="(\w+)" alt="([^"]*)"/g)].map(([, kind, alt]) => [kind, alt])
    expect(alts.map(([kind]) => kind)).toEqual(['plot', 'plot', 'plot', 'plot'])
    expect(alts[0][1]).toContain('the data as a density, and the samples as a density')
    expect(alts[1][1]).toContain('from the data X₀ to X₃, which is noise')
    expect(alts[3][1]).toContain('at the end 0.05000, 0.05000 and 0.05000')
    expect(html.match(/<td>0.05000<\/td>/g)).toHaveLength(3)
  })

  it('names the columns of a table that are shown, and says how they were chosen where not all are', () => {
    const columns = { of: 3, shown: ['a', 'b', 'c'], pair: ['a', 'b'] }
    const all = renderReport({ ...run, columns })
    expect(all).toContain('All pairs of the columns a, b and c')
    expect(all).toContain('Two of its 3 columns are shown: a and b.')
    expect(all).not.toContain('farthest')
    const some = renderReport({ ...run, columns: { ...columns, of: 9 } })
    expect(some).toContain('3 of 9 columns are shown: those whose samples are farthest from the data')
  })

  it('turns plots light on dark in dark mode, and leaves pictures as they are', () => {
    const html = renderReport({ ...run, data: { ...run.data, pictures: true } })
    const dark = /@media screen and \(prefers-color-scheme: dark\) \{\s*(.*?)\{/s.exec(html)![1].trim()
    expect(dark).toBe('img.plot')
    expect([...html.matchAll(/<img class="(\w+)"/g)].map(([, kind]) => kind)).toEqual([
      'tiles',
      'tiles',
      'tiles',
      'plot',
    ])
  })

  it('passes a caution on', () => {
    const quality = {
      fid: 3,
      floor: 1,
      precision: 0.5,
      recall: 0.5,
      features: 'digits',
      caution: 'Few samples & many features.',
      samples: 60,
      against: { part: 'test', n: 100 },
      neighbours: 3,
      nfe: 32,
      solver: 'rk4',
      device: 'native',
      seconds: 1,
    }
    const pictures = { ...run, data: { ...run.data, pictures: true } }
    expect(renderReport({ ...pictures, quality })).toContain('Few samples &amp; many features.')
    expect(renderReport({ ...pictures, quality: { ...quality, caution: null } })).not.toContain('class="remark"')
  })
})
