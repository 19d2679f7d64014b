export function bundledLicences(inputs: readonly string[]): string
