/**
 * The package for browsers as one file, dist/browser/index.js, with the shaders' texts in it: bundlers do not find files that
 * are asked for by their names while a program runs. Comments and indents of shaders stay behind, and the rest is deflated: 49 KB
 * in place of 204, unpacked when the first shader is asked for.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateRawSync } from 'node:zlib'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The texts of shaders/ by their paths there. @param wanted whether a shader is taken along */
function shaderTexts(wanted) {
  const folder = join(root, 'shaders')
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.wgsl') && wanted(path),
  )
  return Object.fromEntries(
    paths.map((path) => {
      const lines = readFileSync(join(folder, path), 'utf8').split('\n')
      const bare = lines.map((line) => line.replace(/\/\/.*$/, '').trim()).filter((line) => line !== '')
      return [path.replaceAll('\\', '/'), bare.join('\n')]
    }),
  )
}

const bundledShaders = (wanted) => ({
  name: 'shaders',
  setup(builder) {
    builder.onLoad({ filter: /browser[/\\]shaders\.[jt]s$/ }, () => ({
      contents: `const packed = '${deflateRawSync(JSON.stringify(shaderTexts(wanted)), { level: 9 }).toString('base64')}'
        const unpack = () => {
          const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0))
          return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).json()
        }
        let texts
        export const readShader = async (path) => {
          texts ??= unpack()
          return (await texts)[path] ?? Promise.reject(new Error('There is no shader ' + path))
        }`,
      loader: 'js',
    }))
  },
})

/** zod's messages in forty languages, of which English alone is used. */
const englishOnly = {
  name: 'english',
  setup(builder) {
    builder.onLoad({ filter: /zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'\n",
      loader: 'js',
    }))
  },
}

/** zod's JSON schemas, 19 KB, which nothing asks for: its constructors mention them, and call them when they are asked. */
const noJsonSchemas = {
  name: 'no-json-schemas',
  setup(builder) {
    const stub = (names) => ({
      contents: `const leftOut = () => () => { throw new Error('JSON schemas are left out of this file') }
        ${names.map((name) => `export const ${name} = leftOut`).join('\n')}`,
      loader: 'js',
    })
    builder.onLoad({ filter: /zod[/\\]v4[/\\]core[/\\]json-schema-processors\.js$/ }, () =>
      stub(['toJSONSchema', 'allProcessors']),
    )
    builder.onLoad({ filter: /zod[/\\]v4[/\\]core[/\\]to-json-schema\.js$/ }, () =>
      stub([
        ...['createToJSONSchemaMethod', 'createStandardJSONSchemaMethod', 'initializeContext', 'processSchema'],
        ...['extractDefs', 'finalize', 'handleUnrepresentable'],
      ]),
    )
  },
}

/**
 * @param entry a file of src/ or of a page; bundled as a module for browsers
 * @param wanted whether a shader, by its path in shaders/, is taken along; default: all are
 */
export function bundleForBrowser(entry, options = {}, wanted = () => true) {
  return build({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'error',
    plugins: [bundledShaders(wanted), englishOnly, noJsonSchemas],
    ...options,
  })
}

/** Writes dist/browser/index.js; returns the files that went into it. */
export async function buildBrowser() {
  const { metafile } = await bundleForBrowser(join(root, 'src/browser/index.ts'), {
    absWorkingDir: root,
    outfile: join(root, 'dist/browser/index.js'),
    allowOverwrite: true,
  })
  return Object.keys(metafile.inputs)
}
