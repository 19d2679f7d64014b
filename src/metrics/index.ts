/** Metrics of pictures: features, FID, precision and recall, bits per dimension. `metrics` of the public interface. */

export { bitsPerDimension, dequantise } from './bits.js'
export { openDigitFeatures } from './digit-classifier.js'
export { type FeatureExtractor, type PixelTensor, quantise } from './features.js'
export { fid, frechetDistance, type Moments, momentsOf } from './frechet.js'
export { nearestRows, type PrecisionRecall, precisionRecall } from './neighbours.js'
export { type OnnxFeatureOptions, openOnnxFeatures } from './onnx.js'
export { type ResizeName, resizeModes } from './resize.js'
