import type { BuildOptions, BuildResult } from 'esbuild'

export function bundleForBrowser(entry: string, options?: BuildOptions): Promise<BuildResult>
export function buildBrowser(): Promise<string[]>
