/** PNG from SVG: size, letters that do not depend on the machine's fonts, nothing loaded before it is needed. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { renderPng, renderSvg } from '../../src/plot/index.js'

const run = promisify(execFile)

const written = (words: string) =>
  renderSvg({
    width: 120,
    height: 40,
    autosize: 'none',
    marks: [{ type: 'text', encode: { enter: { text: { value: words }, x: { value: 10 }, y: { value: 28 } } } }],
  })

/** How many pixels of a PNG are not white. */
async function inked(png: Buffer): Promise<number> {
  const pixels = await sharp(png).greyscale().raw().toBuffer()
  return pixels.filter((value) => value < 250).length
}

describe('renderPng', () => {
  it('writes a PNG of the figure at the asked scale', async () => {
    const svg = await written('X₀')
    for (const scale of [1, 2, 3]) {
      const png = await renderPng(svg, { scale })
      expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
      expect(await sharp(png).metadata()).toMatchObject({ width: 120 * scale, height: 40 * scale })
    }
    await expect(renderPng(svg, { scale: 0 })).rejects.toThrow(/scale must be a number above 0/)
  })

  it('draws letters, and others for other words, with every sign that labels use', async () => {
    expect(await inked(await renderPng(await written('')))).toBe(0)
    // A sign that DejaVu has no glyph for: nothing, or the box that stands for it.
    const missing = await renderPng(await written('一'))
    for (const sign of '₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁻γ→−·‖') {
      const png = await renderPng(await written(sign))
      expect(await inked(png), sign).toBeGreaterThan(4)
      expect(png.equals(missing), sign).toBe(false)
    }
  })

  it('draws the same bytes where the system has no font, and loads nothing before it draws', {
    timeout: 60_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lfm-fonts-'))
    try {
      const config = join(folder, 'fonts.conf')
      await writeFile(config, '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
      const script = join(import.meta.dirname, 'draw-once.mjs')
      const draw = async (env: NodeJS.ProcessEnv) => JSON.parse((await run(process.execPath, [script], { env })).stdout)
      const bare = {
        ...process.env,
        FONTCONFIG_FILE: config,
        FONTCONFIG_PATH: folder,
        HOME: folder,
        XDG_DATA_HOME: folder,
      }
      const [here, there] = await Promise.all([draw(process.env), draw(bare)])
      expect(here.hash).toMatch(/^[0-9a-f]{64}$/)
      expect(here.early).toEqual([])
      expect(there.hash).toBe(here.hash)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
