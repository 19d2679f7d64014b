// Elementary functions by polynomials of our own. WGSL promises no more than 2^-11 for sin and cos and lets exp and log
// vary by adapter; these stay within about 1e-7 (relative) everywhere they are used. The polynomials are weighted
// minimax fits in float64, rounded to float32. Where an argument is reduced by a constant in several parts, each part is an
// fma: compilers with fast-math (Metal, DXC) would add the parts up before they multiply, and lose what they were cut for.

fn is_finite(x: f32) -> bool {
  // by bits: an implementation may assume that no operation meets infinities or NaNs
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// by bits, too
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// 2^n for whole n from -126 to 127
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

const LOG2_E = 1.44269504;
// ln 2 in two parts; the first has so few bits that its product with n is exact
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.12194440e-4;

fn exponential(x: f32) -> f32 {
  let clamped = clamp(x, -87.3, 88.7);
  let n = round(clamped * LOG2_E);
  let r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, clamped));
  let tail = 0.5 + r * (0.16666514 + r * (0.041666187 + r * (0.0083695902 + r * 0.0013951703)));
  let value = 1.0 + (r + r * r * tail);
  // in two steps: n may be 128
  let half = i32(n) / 2;
  let scaled = value * power_of_two(half) * power_of_two(i32(n) - half);
  return select(scaled, 0.0, x < -87.3);
}

// exp(x) - 1 without cancellation near 0
fn exponential_minus_1(x: f32) -> f32 {
  let near = x + x * x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * (0.008333141 + x * (0.0013888543 +
    x * (0.00019974020 + x * 2.4970255e-5))))));
  return select(exponential(x) - 1.0, near, abs(x) < 0.5);
}

// natural logarithm of a normal positive number
fn logarithm(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  // mantissa in [√½, √2)
  let shifted = bits + (0x3f800000u - 0x3f3504f3u);
  let n = f32(i32(shifted >> 23u) - 127);
  let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let tail = 0.33333316 + f * (-0.25000811 + f * (0.20002286 + f * (-0.16624554 + f * (0.14181197 +
    f * (-0.13128768 + f * (0.12881622 + f * -0.078595459))))));
  return fma(n, LN2_HIGH, f + fma(n, LN2_LOW, f * f * (f * tail - 0.5)));
}

// log(1 + u) for u in [0, 1]
fn logarithm_1_plus(u: f32) -> f32 {
  return u * (1.0 + u * (-0.49999902 + u * (0.33329964 + u * (-0.24954133 + u * (0.19675931 + u * (-0.15305570 +
    u * (0.10603617 + u * (-0.05695916 + u * (0.019851264 + u * -0.0032439810)))))))));
}

// sin and cos of an angle in [-π/4, π/4]
fn sine_cosine_octant(r: f32) -> vec2f {
  let s = r * r;
  let sine = r + r * s * (-0.16666655 + s * (0.0083321547 + s * -0.00019514083));
  let cosine = 1.0 + s * (-0.5 + s * (0.041666646 + s * (-0.0013887337 + s * 2.4434845e-5)));
  return vec2f(sine, cosine);
}

// (sin, cos) from those of the angle less `quarter` right angles
fn turn(sine_cosine: vec2f, quarter: u32) -> vec2f {
  let swapped = select(sine_cosine, sine_cosine.yx, (quarter & 1u) == 1u);
  let sine_sign = select(1.0, -1.0, (quarter & 2u) != 0u);
  let cosine_sign = select(1.0, -1.0, ((quarter + 1u) & 2u) != 0u);
  return swapped * vec2f(sine_sign, cosine_sign);
}

// (sin, cos) of a·b. The product is taken with its rounding error (Dekker: halves of twelve bits multiply exactly),
// since at a few hundred radians the rounding alone would be 1e-5.
fn sine_cosine_of_product(a: f32, b: f32) -> vec2f {
  let product = a * b;
  let a_high = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let b_high = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
  let a_low = a - a_high;
  let b_low = b - b_high;
  let error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
  let n = round(product * 0.63661977);
  // π/2 in three parts, of which the first two multiply n exactly
  let r = fma(n, -7.549789948768648e-8, fma(n, -4.837512969970703e-4, fma(n, -1.5703125, product))) + error;
  return turn(sine_cosine_octant(r), u32(i32(n)));
}

// (sin, cos) of 2π·w/2^24: the quadrant is found in whole numbers, so nothing is lost
fn sine_cosine_of_turn(w: u32) -> vec2f {
  let quarter = (w + 0x200000u) >> 22u;
  let rest = i32(w) - i32(quarter << 22u);
  return turn(sine_cosine_octant(f32(rest) * (6.28318531 / 16777216.0)), quarter);
}

fn hyperbolic_tangent(x: f32) -> f32 {
  let a = abs(x);
  let s = x * x;
  let near = x + x * s * (-0.33333331 + s * (0.13333210 + s * (-0.053947203 + s * (0.021702968 +
    s * (-0.0081826737 + s * 0.0021475370)))));
  let far = 1.0 - 2.0 / (exponential(2.0 * min(a, 20.0)) + 1.0);
  return select(select(far, -far, x < 0.0), near, a < 0.625);
}

// upper tail of the standard normal distribution at a ≥ 0: erfc(a/√2)/2
fn normal_tail(a: f32) -> f32 {
  let s = a * a;
  let near = 0.5 - a * (0.39894229 + s * (-0.066490360 + s * (0.0099733230 + s * (-0.0011863300 +
    s * (0.00011348637 + s * -7.6542074e-6)))));
  let w = 1.0 / (1.0 + 0.4 * a);
  let mills = w * (0.15957783 + w * (0.15956262 + w * (0.13404165 + w * (0.084476359 + w * (0.0047139977 +
    w * (0.027993327 + w * (-0.20601854 + w * (0.19297387 + w * -0.057451956))))))));
  return select(exponential(-0.5 * s) * mills, near, a < 1.0);
}

fn sigmoid(z: f32) -> f32 {
  let e = exponential(-abs(z));
  return select(1.0, e, z < 0.0) / (1.0 + e);
}
