/**
 * What is used of hyparquet, and of its compressors and writer. In dist/ this file holds them (scripts/build-ts.mjs): names inside
 * of hyparquet are used, which another version may not have.
 */
export { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
export { parquetHeader } from 'hyparquet/src/column.js'
export { decompressPage } from 'hyparquet/src/datapage.js'
export { deltaBinaryUnpack } from 'hyparquet/src/delta.js'
export { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
export { readVarInt, readZigZagBigInt } from 'hyparquet/src/thrift.js'
export { compressors } from 'hyparquet-compressors'
export { ByteWriter, ParquetWriter, parquetWriteBuffer } from 'hyparquet-writer'
