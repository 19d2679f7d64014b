// Adam: include/adam_step.wgsl with nothing added.
#include "elements.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"
#include "adam_step.wgsl"

fn keep(i: u32, next: Element) {}

fn after_a_skip() {}

fn after_a_good_step() {}
