/**
 * npm run pack:gpu-host: makes build/gpu-host/, a folder of at most 60 MB with everything that an x86-64 Linux host with an
 * NVIDIA driver needs to bench, test and train, without a network, Node or a Vulkan loader (docs/gpu-servers.md). In it:
 *
 *   run.sh           unpacks and starts what it is told
 *   busybox          a static one: tar and xz for hosts that have neither
 *   system.tar.xz    Node; the Vulkan loader, X and EGL libraries that the driver asks for; the C++ runtime
 *   modules.tar.xz   npm packages: Dawn, vitest, benny, tfjs and what the library needs itself
 *   project.tar.xz   the built package, its sources, shaders, assets, tests, bench and examples
 *
 * Needs x86-64 Linux, xz, tar, and apt-get for the system's libraries. Archives whose content has not changed are taken
 * from build/gpu-host-cache/.
 *
 *     node scripts/gpu-host/pack.mjs [--light]     --light compresses little, in seconds: to try the folder here
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { moduleFiles } from './modules.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const target = join(root, 'build', 'gpu-host')
const cache = join(root, 'build', 'gpu-host-cache')
const light = process.argv.includes('--light')

/** The folder may be this large, and no library in it may ask for a newer C library than this. */
const MOST_BYTES = 60e6
const GLIBC = 35

/** Debian packages with the Vulkan loader and the libraries that libGLX_nvidia.so.0 is linked against or opens. */
const libraryPackages =
  'libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0'.split(
    ' ',
  )

/** The C++ runtime, for hosts without one (any with apt has it); it may ask for a newer C library than all the rest. */
const runtimePackages = ['libstdc++6', 'libgcc-s1']
const runtimeFile = /lib(stdc\+\+|gcc_s)\.so(\.\d+)*$/

function fail(message) {
  console.error(`pack:gpu-host: ${message}`)
  process.exit(1)
}

const run = (command, args, options) => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe', ...options })
const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

function checkTools() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(`packs on x86-64 Linux, whose Node and native engine it packs; this is ${process.platform}-${process.arch}.`)
  }
  const missing = ['xz', 'tar', 'apt-get', 'dpkg-deb', 'objdump', 'strip'].filter((command) => !has(command))
  if (missing.length > 0) {
    fail(
      `needs ${missing.join(', ')}: xz-utils, tar and binutils, and a Debian or Ubuntu (22.04 to 24.04, Debian 12) with ` +
        `apt-get, by which it downloads ${[...libraryPackages, ...runtimePackages, 'busybox-static'].join(' ')}.`,
    )
  }
  if (!existsSync(join(root, 'build/Release/lfm.node'))) fail('the native engine is not built: run npm run build.')
  if (run('objdump', ['-p', process.execPath]).includes('libnode.so')) {
    fail(
      `${process.execPath} keeps Node in a library of its own (libnode.so): pack with a Node from nodejs.org or npm.`,
    )
  }
}

/** Downloads and unpacks Debian packages into a new folder; returns it. */
function unpackDebian(name, packages) {
  const folder = join(cache, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'debs'), { recursive: true })
  try {
    run('apt-get', ['download', '-q', ...packages], { cwd: join(folder, 'debs') })
  } catch (error) {
    fail(
      `apt-get could not download ${packages.join(' ')}: ${error.stderr.trim().split('\n').at(-1)} (apt-get update?)`,
    )
  }
  for (const deb of readdirSync(join(folder, 'debs')))
    run('dpkg-deb', ['-x', join(folder, 'debs', deb), join(folder, 'x')])
  return join(folder, 'x')
}

/** Every file [path, absolute path] below a folder, links followed to files. */
function* walk(folder, inside = '') {
  for (const name of readdirSync(join(folder, inside)).sort()) {
    const path = inside ? `${inside}/${name}` : name
    if (lstatSync(join(folder, path)).isDirectory()) yield* walk(folder, path)
    else yield [path, join(folder, path)]
  }
}

/** Files of shared libraries under the names by which programs ask for them (their sonames). */
function libraries(folder, wanted = /\.so(\.\d+)*$/) {
  const found = []
  for (const [path, file] of walk(folder)) {
    if (!wanted.test(path) || lstatSync(file).isSymbolicLink()) continue
    const soname = /SONAME\s+(\S+)/.exec(run('objdump', ['-p', file]))?.[1]
    if (soname) found.push([soname, file])
  }
  return found
}

/** The newest version of the GNU C library that a binary asks for: the 34 of GLIBC_2.34. */
const glibcOf = (file) =>
  Math.max(0, ...[...run('objdump', ['-p', file]).matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor)))

const isBinary = (file) => readFileSync(file).subarray(0, 4).toString('latin1') === '\x7fELF'

/**
 * An archive is a list of [path in it, file]. Binaries that are `stripped` lose their symbols on the way. Returns the
 * archive's file, from the cache where one of the same content is there.
 */
async function archive(name, files, stripped) {
  const stage = join(cache, name)
  rmSync(stage, { recursive: true, force: true })
  const hash = createHash('sha256')
  for (const [path, file] of files) {
    const to = join(stage, path)
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(file, to)
    const { mode, mtime } = statSync(file)
    if (stripped.test(path)) run('strip', [to])
    chmodSync(to, mode & 0o111 ? 0o755 : 0o644)
    utimesSync(to, mtime, mtime)
    hash
      .update(`${path}\0${mode & 0o111 ? 'x' : '-'}\0`)
      .update(readFileSync(to))
      .update('\0')
  }
  const bytes = files.reduce((sum, [path]) => sum + statSync(join(stage, path)).size, 0)
  const asking = files.map(([path]) => path).filter((path) => !runtimeFile.test(path) && isBinary(join(stage, path)))
  const glibc = Math.max(0, ...asking.map((path) => glibcOf(join(stage, path))))
  if (glibc > GLIBC) fail(`${name} asks for GLIBC_2.${glibc}, newer than 2.${GLIBC}: pack on an older system.`)
  const key = hash.digest('hex').slice(0, 12)
  const packed = join(cache, `${name}-${key}${light ? '-light' : ''}.tar.xz`)
  if (!existsSync(packed)) {
    for (const old of readdirSync(cache))
      if (old.startsWith(`${name}-`) && old.endsWith('.tar.xz')) rmSync(join(cache, old))
    const owner = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner']
    const tar = spawn('tar', ['-C', stage, ...owner, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
    // CRC32 is the check that the smallest decoders know
    const xz = spawn('xz', ['--check=crc32', light ? '-1' : '-9e', '-T1', '-c'], { stdio: ['pipe', 'pipe', 'inherit'] })
    await Promise.all([pipeline(tar.stdout, xz.stdin), pipeline(xz.stdout, createWriteStream(`${packed}.part`))])
    renameSync(`${packed}.part`, packed)
  }
  rmSync(stage, { recursive: true, force: true })
  return { name, key, packed, bytes, files: files.length, glibc }
}

function systemFiles() {
  const drivers = unpackDebian('libraries', libraryPackages)
  const runtime = unpackDebian('runtime', runtimePackages)
  return [
    ['bin/node', realpathSync(process.execPath)],
    ...libraries(drivers).map(([soname, file]) => [`lib/${soname}`, file]),
    ...libraries(runtime, runtimeFile).map(([soname, file]) => [`lib/${soname}`, file]),
  ]
}

/** Tracked files, and what is built of them. */
function projectFiles() {
  const tracked = run(
    'git',
    ['ls-files', '-z', ...'src test bench shaders assets examples native scripts docs'.split(' ')],
    {
      cwd: root,
    },
  )
    .split('\0')
    .filter((path) => path && !path.startsWith('docs/images/'))
  const built = [...walk(join(root, 'dist'))].map(([path]) => `dist/${path}`)
  const single = ['package.json', 'README.md', 'LICENSE', 'tsconfig.json', 'vitest.config.ts', 'build/Release/lfm.node']
  const head = run('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root }).trim()
  const changed = run('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: root }) ? '+' : ''
  writeFileSync(join(cache, 'commit'), `${head}${changed}\n`)
  return [
    ...[...tracked, ...built, ...single].map((path) => [`app/${path}`, join(root, path)]),
    ['app/commit', join(cache, 'commit')],
  ]
}

async function pack() {
  checkTools()
  mkdirSync(cache, { recursive: true })
  const archives = await Promise.all([
    archive('system', systemFiles(), /^(bin\/node|lib\/.*)$/),
    archive(
      'modules',
      moduleFiles(root).map((path) => [`app/${path}`, join(root, path)]),
      /\.node$/,
    ),
    archive('project', projectFiles(), /\.node$/),
  ])
  const busybox = join(unpackDebian('busybox-static', ['busybox-static']), 'bin', 'busybox')

  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  for (const { name, packed } of archives) copyFileSync(packed, join(target, `${name}.tar.xz`))
  copyFileSync(existsSync(busybox) ? busybox : busybox.replace('/bin/', '/usr/bin/'), join(target, 'busybox'))
  const id = archives.map(({ key }) => key.slice(0, 6)).join('-')
  const script = readFileSync(join(root, 'scripts/gpu-host/run.sh'), 'utf8').replace('@PACK@', id)
  writeFileSync(join(target, 'run.sh'), script)
  for (const name of ['run.sh', 'busybox']) chmodSync(join(target, name), 0o755)

  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1).padStart(6)} MB`
  let total = 0
  for (const name of readdirSync(target).sort()) {
    const { size } = statSync(join(target, name))
    total += size
    const one = archives.find((archived) => name === `${archived.name}.tar.xz`)
    const holds = one ? `  ${one.files} files, ${(one.bytes / 1e6).toFixed(1)} MB unpacked` : ''
    console.log(`${megabytes(size)}  ${name}${holds}`)
  }
  const glibc = Math.max(...archives.map((one) => one.glibc))
  console.log(`${megabytes(total)}  ${target}: pack ${id}; asks for glibc 2.${glibc}`)
  if (total > MOST_BYTES && !light) fail(`the folder is larger than ${MOST_BYTES / 1e6} MB.`)
}

await pack()
