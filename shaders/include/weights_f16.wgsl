// How the weights of a convolution are stored in mixed precision: in float16.
#include "half_elements.wgsl"
alias Weight = HalfElement;
