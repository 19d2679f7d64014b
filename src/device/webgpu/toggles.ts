/**
 * Dawn's toggles. The *safe* set keeps every check: accesses are held within their bindings (robustness), loops end,
 * workgroup memory starts as zeros, calls are validated. The *fast* set leaves these out; they only guard against our own
 * mistakes, so a program runs in it after it has passed in the safe one (proof.ts). Neither touches
 * lazy_clear_resource_on_first_use: buffers start as zeros in both.
 *
 * Dawn takes a toggle that it does not know in silence; test/webgpu/toggles.test.ts looks every name up in its binary.
 */

export interface Toggles {
  readonly enabled: readonly string[]
  readonly disabled: readonly string[]
}

// experimental features, float16 where Dawn hides it, and timestamps that are not rounded to 65 µs
const base: Toggles = {
  enabled: ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'],
  disabled: ['timestamp_quantization'],
}

export const toggleSets: Readonly<Record<'safe' | 'fast', Toggles>> = {
  safe: base,
  fast: { ...base, enabled: [...base.enabled, 'disable_robustness', 'disable_workgroup_init', 'skip_validation'] },
}

/**
 * Whether a device takes the fast set unasked, once a program is proved. Off until a hardware adapter has shown that it is worth
 * the proof: `prove` measures the same steps in both sets (bench-rose, bench-checked), and docs/notes/webgpu.md says from what
 * figures on this becomes true.
 */
export const FAST_BY_DEFAULT = false

/** The options by which an instance of Dawn takes them. */
export const toggleOptions = ({ enabled, disabled }: Toggles): string[] => [
  `enable-dawn-features=${enabled.join(',')}`,
  `disable-dawn-features=${disabled.join(',')}`,
]
