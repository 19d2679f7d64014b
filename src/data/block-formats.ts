/** Formats of files that can be written block by block. */
export const blockFormats = ['csv', 'npy', 'parquet'] as const
export type BlockFormat = (typeof blockFormats)[number]
