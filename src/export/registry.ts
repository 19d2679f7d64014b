/** The forms that a model can be exported in, a row each: what the folder holds, and who makes it. A new one is a file and a row. */

import type { Exporter } from './exporter.js'

interface Form {
  /** for people: what the folder holds */
  readonly summary: string
  /** loaded when it is asked for */
  load(): Promise<Exporter>
}

export const forms = {
  onnx: {
    summary: 'the velocity of each sub-flow and the sampler as ONNX files',
    load: async () => (await import('./onnx/onnx.js')).onnx,
  },
  pytorch: {
    summary: 'safetensors under the names of PyTorch code, with a model.py that loads and samples them',
    load: async () => (await import('./pytorch.js')).pytorch,
  },
  hf: {
    summary: 'a folder for the Hugging Face Hub: both, with a model card',
    load: async () => (await import('./hub.js')).hub,
  },
} as const satisfies Record<string, Form>

export type ExportForm = keyof typeof forms
export const exportForms = Object.keys(forms) as [ExportForm, ...ExportForm[]]
