/** The feature extractors there are, a row each: by a name of its own, or by the extension of a file that the user brings. */

import { extname } from 'node:path'
import { invalid } from '../errors.js'
import { DIGIT_SIDE, openDigitFeatures } from './digit-classifier.js'
import type { FeatureExtractor } from './features.js'
import { openOnnxFeatures } from './onnx.js'
import type { ResizeName } from './resize.js'

interface Row {
  /** what it is for, in a list of choices */
  readonly description: string
  /** whether it is what `given` names */
  named(given: string): boolean
  /** whether it is taken for pictures [C, H, W] where none is named */
  suits(rowShape: readonly number[]): boolean
  /** whether pictures are resized on the way to it */
  readonly resizes: boolean
  open(given: string, resize: ResizeName | undefined): Promise<FeatureExtractor>
}

const rows: Readonly<Record<string, Row>> = {
  digits: {
    description: 'digits, for grey squares',
    named: (given) => given === 'digits',
    suits: ([C, H, W]) => C === 1 && H === W && H >= DIGIT_SIDE,
    resizes: false,
    open: openDigitFeatures,
  },
  onnx: {
    description: 'an ONNX file',
    named: (given) => extname(given).toLowerCase() === '.onnx',
    suits: () => false,
    resizes: true,
    open: (given, resize) => openOnnxFeatures(given, { resize }),
  },
}

/**
 * Opens the extractor that is named, or the one that suits the pictures.
 * @param rowShape [C, H, W]
 * @throws InvalidArgumentError where none is named and none suits, or the name is of none
 */
export function openFeatures(
  rowShape: readonly number[],
  { features, resize }: { features?: string; resize?: ResizeName },
): Promise<FeatureExtractor> {
  const found = Object.entries(rows).find(([, row]) =>
    features === undefined ? row.suits(rowShape) : row.named(features),
  )
  if (!found) {
    const choices = Object.values(rows).map(({ description }) => description)
    throw invalid('--features', `${choices.join(', or ')} (these pictures are [${rowShape.join(', ')}])`, features)
  }
  const [name, row] = found
  if (resize && !row.resizes) throw invalid('--resize', `left out: pictures are not resized for ${name}`, resize)
  return row.open(features ?? name, resize)
}
