/** Checkpoints on disk: the safetensors format, atomic files, and the run folder with its manifest. */

export { writeFileAtomic } from './atomic.js'
export {
  type CheckpointContent,
  type FileEntry,
  formatVersion,
  type ManifestContent,
  manifestName,
  prepareRunFolder,
  type RunManifest,
  readCheckpointFile,
  readCheckpointTensors,
  readManifest,
  writeCheckpoint,
} from './run-folder.js'
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  type StoredTensor,
  type TensorValues,
  takeFloat32,
} from './safetensors.js'
