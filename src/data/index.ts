/** Data sets: what is read, drawn, split, standardised and written. `data` of the public interface. */

export { permutation } from '../random/stream.js'
export { readCifar10 } from './cifar10.js'
export { type Columns, type CsvOptions, csvText, readCsv, type Table, writeCsv } from './csv.js'
export type { Density, Entropy, EntropyOptions, Sampler } from './density.js'
export { isDensity } from './density.js'
export { gaussian } from './gaussian.js'
export { readIdxPictures } from './idx.js'
export { type ImageDensity, imageDensity, loadImageDensity } from './image-density.js'
export { type ImageFolderOptions, readImageFolder } from './image-folder.js'
export type { LargeRows, RowsInFile, StoreOptions } from './large.js'
export { loadData, readTable } from './load.js'
export { decodeNpy, encodeNpy, readNpy, writeNpy } from './npy.js'
export type { Pictures } from './pictures.js'
export { type RowsLike, rowsOf } from './rows.js'
export {
  applyScaler,
  fitScaler,
  logDeterminant,
  type ScaledRows,
  type Scaler,
  type Standardise,
  scalerOf,
  undoScaler,
} from './scaler.js'
export type { LoadedData, LoadedTable, PartConditions, PartLabels } from './source.js'
export { type SpaceName, space, spaceNames } from './spaces.js'
export { type PartSizes, type Parts, partCounts, split } from './split.js'
export type { RowsInTime } from './spool.js'
export type { Encoding } from './tables/encoding.js'
export { type ColumnAs, type ColumnKind, columnKinds, type KnownColumn } from './tables/kinds.js'
export type { MixedInTime, MixedRow, MixedValue } from './tables/mixed-rows.js'
export { type ReadTable, type ReadTableOptions, readMixedTable } from './tables/read.js'
export type { Atom, ColumnFacts } from './tables/report.js'
export { tableText } from './tables/texts.js'
export type { ToldRow, ToldTables } from './tables/told.js'
export { writeMixedTable } from './tables/write.js'
export { checkTensor, type RowValues, type Tensor } from './tensor.js'
export { type ToyName, toy, toyNames } from './toy.js'
