/**
 * Reads a file of the package's shaders/, from where the package is served. The bundle of the package (scripts/build-browser.mjs)
 * has the texts in itself, and this file has no part in it.
 */

import type { ReadShader } from '../device/webgpu/shaders.js'

export const readShader: ReadShader = async (path) => {
  const response = await fetch(new URL(`../../shaders/${path}`, import.meta.url))
  if (!response.ok) throw new Error(`shaders/${path} is not served beside the package (${response.status}).`)
  return response.text()
}
