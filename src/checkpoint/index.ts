/** Checkpoints on disk: the safetensors format, atomic files, and the run folder with its manifest. */

export { writeFileAtomic } from '../files/atomic.js'
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  type StoredTensor,
  type TensorValues,
  takeFloat32,
} from '../files/safetensors.js'
export { type FileEntry, formatVersion, type ManifestContent, manifestName, type RunManifest } from './manifest.js'
export {
  type CheckpointContent,
  commandWords,
  type FolderWords,
  findRun,
  lockRun,
  makeRunFolder,
  programWords,
  readCheckpointFile,
  readCheckpointTensors,
  readManifest,
  writeCheckpoint,
} from './run-folder.js'
