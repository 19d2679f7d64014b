import { parityOnNative } from './on-native.js'

// the addon reads it once, when it is loaded
process.env.LFM_CPU = 'baseline'
await parityOnNative('baseline')
