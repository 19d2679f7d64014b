// How the weights of a convolution are stored: in float32, or, in mixed precision (weights_f16.wgsl), in float16.
alias Weight = Element;
