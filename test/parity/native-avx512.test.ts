import { parityOnNative } from './on-native.js'

// the addon reads it once, when it is loaded
process.env.LFM_CPU = 'avx512'
await parityOnNative('avx512')
