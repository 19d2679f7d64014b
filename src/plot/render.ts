/**
 * From a Vega specification to a picture. Vega computes the scene without a browser and writes SVG; resvg turns SVG into
 * PNG with the DejaVu files named here and no font of the system, so a bare server draws the same letters, and the same
 * bytes, as a desktop. These packages are
 * loaded on first use: importing the library costs nothing.
 */
import { fileURLToPath } from 'node:url'
import type { Spec } from 'vega'
import { invalid } from '../errors.js'
import { loadResvg, loadSharp } from '../files/native-parts.js'
import { COLOR, FONT, VEGA_CONFIG } from './theme.js'

const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']

/** Draws a Vega specification as SVG text, in the project's theme; sizes are the specification's own pixels. */
export async function renderSvg(spec: Spec): Promise<string> {
  const vega = await import('./vega.js')
  const view = new vega.View(vega.parse(spec, VEGA_CONFIG), { renderer: 'none', logLevel: vega.Warn })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

export interface PngOptions {
  /** Pixels of the picture for one pixel of the figure, above 0 and at most 8. Default 2, for dense screens and print. */
  scale?: number
}

/**
 * Turns SVG text into a PNG file's bytes. Letters come from DejaVu Sans alone, whatever fonts the machine has. The file
 * has a palette of 256 colours: figures use few, and it is less than half the size, of which a report carries several.
 */
export async function renderPng(svg: string, { scale = 2 }: PngOptions = {}): Promise<Buffer> {
  if (!(scale > 0 && scale <= 8)) throw invalid('scale', 'a number above 0 and at most 8', scale)
  const sharp = await loadSharp()
  const { pixels, width, height } = await renderPixels(svg, scale)
  return sharp(pixels, { raw: { width, height, channels: 4 } })
    .flatten({ background: COLOR.background })
    .png({ palette: true, dither: 0, compressionLevel: 9 })
    .toBuffer()
}

/** SVG text as pixels [height, width, 4]: red, green, blue and opacity, 0 where nothing is drawn. */
export async function renderPixels(
  svg: string,
  scale: number,
): Promise<{ pixels: Uint8Array; width: number; height: number }> {
  const { Resvg } = await loadResvg()
  const { pixels, width, height } = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    font: {
      loadSystemFonts: false,
      fontFiles: fontFiles(),
      defaultFontFamily: FONT,
      sansSerifFamily: FONT,
      serifFamily: FONT,
      monospaceFamily: FONT,
    },
  }).render()
  return { pixels, width, height }
}

/** The same distance from src/ and from dist/. */
const fontFiles = (): string[] =>
  FONT_FILES.map((file) => fileURLToPath(new URL(`../../assets/fonts/${file}`, import.meta.url)))
