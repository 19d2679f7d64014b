/**
 * The API reference: `npm run docs:api` writes build/api/index.html with TypeDoc, from the declarations in dist/, and counts
 * what has no comment. It ends with 1 where anything public is without words, or where a link in a comment leads nowhere.
 *
 * TypeDoc needs the programming interface of a TypeScript that is not the native one this project is compiled with; both are
 * installed in scripts/api-docs/, apart from the project's packages, when this is run the first time.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tools = join(root, 'scripts', 'api-docs')
const output = join(root, 'build', 'api')

function install() {
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], {
    cwd: tools,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0) throw new Error(`TypeDoc could not be installed in ${tools}`)
}

if (!existsSync(join(tools, 'node_modules', 'typedoc'))) install()
if (!existsSync(join(root, 'dist', 'index.d.ts'))) throw new Error('There is no dist/ yet: run npm run build:ts first.')
const { Application, ReflectionKind } = await import(
  pathToFileURL(createRequire(join(tools, 'package.json')).resolve('typedoc'))
)

const app = await Application.bootstrap({
  name: 'local-flow-matching',
  entryPoints: ['index', 'single-kernels', 'browser/index'].map((entry) => join(root, 'dist', `${entry}.d.ts`)),
  tsconfig: join(tools, 'tsconfig.json'),
  readme: 'none',
  excludePrivate: true,
  excludeProtected: true,
  disableSources: true,
  logLevel: 'Warn',
  // the inside of what is public: parts of a model, programs, tables; nobody makes these by hand
  intentionallyNotExported: [
    'CarrySettings',
    'ChosenFile',
    'DeviceTimes',
    'Encoded',
    'FlowContents',
    'Line',
    'ModelFacts',
    'Network',
    'Program',
    'ReferenceTensor',
    'ResolvedOptions',
    'Stage',
    'TrainedNetwork',
    'Transport',
    'methods',
    'spaceSets',
    'table',
    'toySets',
  ],
})
const project = await app.convert()
if (!project) throw new Error('TypeDoc could not read the declarations.')

/** What a reader meets by a name: exports and their members. What a signature names is told in the words of its function. */
const named =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.Function |
  ReflectionKind.Variable |
  ReflectionKind.TypeAlias |
  ReflectionKind.Method |
  ReflectionKind.Property |
  ReflectionKind.Accessor |
  ReflectionKind.Constructor

const signatures = [
  ReflectionKind.CallSignature,
  ReflectionKind.ConstructorSignature,
  ReflectionKind.GetSignature,
  ReflectionKind.IndexSignature,
]

const hasWords = (reflection) =>
  [
    reflection,
    ...(reflection.signatures ?? []),
    reflection.getSignature,
    ...(reflection.type?.declaration?.signatures ?? []),
  ].some((one) => one?.comment?.hasVisibleComponent() || one?.comment?.blockTags?.length)
/** Members that come from a class of the language, such as an error's stack. */
const inherited = (reflection) => reflection.flags.isExternal || reflection.inheritedFrom !== undefined

const ofSignature = ({ parent }) =>
  parent !== undefined && (parent.kindOf([ReflectionKind.Parameter, ...signatures]) || ofSignature(parent))

const all = project.getReflectionsByKind(named).filter((one) => !inherited(one) && !ofSignature(one))
const without = all.filter((reflection) => !hasWords(reflection)).map((reflection) => reflection.getFullName())
const exported = all.filter(({ parent }) => parent?.kindOf(ReflectionKind.Module | ReflectionKind.Namespace))
console.log(
  `${exported.length} exported symbols and ${all.length - exported.length} members, ${without.length} without a comment.`,
)
for (const name of without) console.log(`  ${name}`)

app.validate(project)
await app.generateDocs(project, output)
console.log(join(output, 'index.html'))
process.exitCode = without.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0
