/** What differs on Windows, where nothing of this has run: paths by node:path's own win32, and what that system says by stand-ins. */

import { win32 } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signalsOf } from '../../src/cli/interrupt.js'
import { applyOverrides, parseConfig } from '../../src/config/read.js'
import { folderOf } from '../../src/files/folders.js'
import { renameOver } from '../../src/files/rename.js'
import { shellLine } from '../../src/files/shell.js'

afterEach(() => {
  vi.restoreAllMocks()
  vi.doUnmock('node:path')
  vi.doUnmock('node:fs')
  vi.doUnmock('../../src/files/reading.js')
  vi.resetModules()
})

/** Modules that are loaded from here on see Windows' paths. */
const onWindows = () => {
  vi.resetModules()
  vi.doMock('node:path', () => ({ ...win32, default: win32, win32, posix: win32.posix }))
}

describe('paths', () => {
  it.each([
    ['C:\\runs\\a.csv', /^C:\\runs\\\.a\.csv\.[0-9a-f]{20}\.tmp$/],
    ['C:a.csv', /^C:\\where\\c\\stands\\\.a\.csv\.[0-9a-f]{20}\.tmp$/],
    ['\\\\server\\share\\a.csv', /^\\\\server\\share\\\.a\.csv\.[0-9a-f]{20}\.tmp$/],
    ['D:/runs/mixed\\a.csv', /^D:\\runs\\mixed\\\.a\.csv\.[0-9a-f]{20}\.tmp$/],
  ])('a temporary file lies beside %s', async (path, expected) => {
    onWindows()
    vi.spyOn(process, 'cwd').mockReturnValue('C:\\where\\c\\stands')
    const { newTemporary } = await import('../../src/files/atomic.js')
    expect(newTemporary(path)).toMatch(expected)
  })

  it('sub-flows of a run have folders in its folder', async () => {
    onWindows()
    const { partFolder } = await import('../../src/run/parts.js')
    expect(partFolder('D:\\runs\\rose', 2)).toBe('D:\\runs\\rose\\sub-flow-2')
  })

  it("an exported model's files are found by the paths in its config, which have slashes", async () => {
    onWindows()
    const asked: string[] = []
    vi.doMock('../../src/files/reading.js', () => ({
      readAtMost: async (path: string) => asked.push(path) && null,
    }))
    const { diskReader } = await import('../../src/export/disk.js')
    await diskReader('\\\\server\\models\\rose')('onnx/flow.onnx', 10)
    expect(asked).toEqual(['\\\\server\\models\\rose\\onnx\\flow.onnx'])
  })

  it.each([
    ['C:\\', 'C:\\runs\\new\\rose', ['C:\\runs', 'C:\\runs\\new', 'C:\\runs\\new\\rose']],
    ['\\\\server\\share\\', '\\\\server\\share\\new', ['\\\\server\\share\\new']],
  ])('folders are made from %s on', async (root, path, expected) => {
    onWindows()
    const made: string[] = []
    vi.doMock('node:fs', () => ({
      constants: {},
      accessSync: () => {},
      statSync: (at: string) => (at === root || made.includes(at) ? { isDirectory: () => true } : undefined),
      mkdirSync: (at: string) => made.push(at),
    }))
    const { makeFolder } = await import('../../src/files/folders.js')
    makeFolder(path)
    expect(made).toEqual(expected)
  })

  it('a drive that is not there is an error, and no loop', async () => {
    onWindows()
    vi.doMock('node:fs', () => ({
      constants: {},
      accessSync: () => {},
      statSync: () => undefined,
      mkdirSync: () => {},
    }))
    const { makeFolder } = await import('../../src/files/folders.js')
    expect(() => makeFolder('Q:\\runs')).toThrow('Q:\\ is no folder')
  })

  it.each([
    ['C:\\data\\rose.yaml', 'C:\\data'],
    ['C:/data/rose.yaml', 'C:/data'],
    ['\\\\server\\share\\rose.yaml', '\\\\server\\share\\'],
    ['/home/data/rose.yaml', '/home/data'],
  ])('the config of a run, %s, lies in the same folder wherever the run is read', (path, folder) => {
    expect(folderOf(path)).toBe(folder)
  })

  it.each(['C:\\new\\table.csv', '\\\\server\\share\\x.csv'])('--set data.path=%s is taken as it is', (path) => {
    expect(applyOverrides({}, [`data.path=${path}`])).toEqual({ data: { path } })
    expect(parseConfig(`data: { kind: csv, path: ${path} }\r\nseed: 1\r\n`, { path: 'x.yaml' })).toEqual({
      data: { kind: 'csv', path },
      seed: 1,
    })
  })

  it.each([
    [{ LOCALAPPDATA: 'C:\\Users\\me\\AppData\\Local' }, 'C:\\Users\\me\\AppData\\Local\\local-flow-matching'],
    [{ LOCALAPPDATA: 'C:\\x', XDG_CACHE_HOME: 'D:\\cache' }, 'D:\\cache\\local-flow-matching'],
  ])('findings about an adapter are kept where %o says', async (env, folder) => {
    onWindows()
    const { cacheFolder } = await import('../../src/device/webgpu/node/cache-file.js')
    expect(cacheFolder('win32', env)).toBe(folder)
  })
})

describe('commands', () => {
  const words = ['lfm', 'train', 'C:\\my data\\a.yaml', '--out', 'C:\\runs\\', '--set', 'flow.gammas=[0.1, null]']
  it('are quoted as the shell of the system reads them', () => {
    expect(shellLine(words, 'win32')).toBe(
      'lfm train "C:\\my data\\a.yaml" --out C:\\runs\\ --set "flow.gammas=[0.1, null]"',
    )
    expect(shellLine(['C:\\my runs\\', 'say "a\\"'], 'win32')).toBe('"C:\\my runs\\\\" "say \\"a\\\\\\""')
    expect(shellLine(['a b', "it's", 'plain'], 'linux')).toBe("'a b' 'it'\\''s' plain")
  })

  it('listen to the signals that the system has', () => {
    expect(signalsOf('win32')).toEqual(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'])
    expect(signalsOf('darwin')).toEqual(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'])
  })
})

describe('a name that is changed over', () => {
  const failing = (codes: string[], platform: string) => {
    const waits: number[] = []
    let calls = 0
    const system = {
      platform,
      rename: async () => {
        calls++
        const code = codes.shift()
        if (code) throw Object.assign(new Error(code), { code })
      },
      wait: async (ms: number) => waits.push(ms),
    }
    return { run: () => renameOver('a.tmp', 'a', system), waits, calls: () => calls }
  }

  it('is tried again while another program has the file open', async () => {
    const { run, waits, calls } = failing(['EPERM', 'EBUSY', 'EACCES'], 'win32')
    await run()
    expect(calls()).toBe(4)
    expect(waits).toEqual([10, 20, 50])
  })

  it('fails in the end, and at once for another reason or on another system', async () => {
    const forever = failing(new Array<string>(20).fill('EPERM'), 'win32')
    await expect(forever.run()).rejects.toMatchObject({ code: 'EPERM' })
    expect([forever.calls(), forever.waits.length]).toEqual([9, 8])
    for (const [code, platform] of [
      ['ENOSPC', 'win32'],
      ['EPERM', 'linux'],
    ]) {
      const once = failing([code], platform)
      await expect(once.run()).rejects.toMatchObject({ code })
      expect(once.calls()).toBe(1)
    }
  })
})
