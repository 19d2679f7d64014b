/** Data sets: what is read, drawn, split, standardised and written. `data` of the public interface. */

export { csvText, readCsv, type Table, writeCsv } from './csv.js'
export type { Density, Entropy, EntropyOptions, Sampler } from './density.js'
export { isDensity } from './density.js'
export { gaussian } from './gaussian.js'
export { type ImageDensity, imageDensity, loadImageDensity } from './image-density.js'
export { type LoadedData, loadData, readTable } from './load.js'
export { decodeNpy, encodeNpy, readNpy, writeNpy } from './npy.js'
export { permutation } from './random.js'
export { applyScaler, fitScaler, logDeterminant, type Scaler, undoScaler } from './scaler.js'
export { type PartSizes, type Parts, partCounts, split } from './split.js'
export { checkTensor, type Tensor } from './tensor.js'
export { type ToyName, toy, toyNames } from './toy.js'
