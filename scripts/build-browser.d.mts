import type { BuildOptions, BuildResult } from 'esbuild'

export function bundleForBrowser(
  entry: string,
  options?: BuildOptions,
  wanted?: (shader: string) => boolean,
): Promise<BuildResult>
export function buildBrowser(): Promise<string[]>
