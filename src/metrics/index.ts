/**
 * How far apart two sets are: of rows by sliced Wasserstein and energy distances, a classifier, nearest neighbours; of pictures
 * by features, FID, precision and recall, bits per dimension. `metrics` of the public interface.
 */

export { bitsPerDimension, dequantise } from './bits.js'
export { openDigitFeatures } from './digit-classifier.js'
export { type EnergyOptions, energyDistance } from './energy.js'
export { type FeatureExtractor, type PixelTensor, quantise } from './features.js'
export { type FloorOptions, type SamplingFloor, samplingFloor } from './floor.js'
export { fid, fidCaution, frechetDistance, type Moments, momentsOf } from './frechet.js'
export { type Memorising, memorising } from './memorising.js'
export { nearestDistances } from './nearest.js'
export { nearestRows, type PrecisionRecall, precisionRecall } from './neighbours.js'
export { type OnnxFeatureOptions, openOnnxFeatures } from './onnx.js'
export { type ResizeMode, type ResizeName, resizeModes } from './resize.js'
export type { Rows } from './rows.js'
export { type SlicedOptions, slicedWasserstein } from './sliced.js'
export * as tables from './tables/index.js'
export { classifierTwoSample, type TwoSample, type TwoSampleFeatures, type TwoSampleOptions } from './two-sample.js'
