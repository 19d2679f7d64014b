/** The licences of what a bundle holds: they go wherever the bundle goes. */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * The licences of the packages among a bundle's files, each under its name and version.
 * @param inputs paths below the repository, as esbuild's metafile names them
 */
export function bundledLicences(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.replaceAll('\\', '/'))?.[1] ?? []),
  )
  const texts = [...folders].sort().map((folder) => {
    const at = join(root, folder)
    const { name, version, license } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
    const file = readdirSync(at).find((entry) => /^licen[cs]e/i.test(entry))
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(at, file), 'utf8').trim() : ''}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
