//! Elementwise functions and reductions over a row.
//!
//! Each is written once, in plain loops that the compiler turns into vector instructions, and compiled for every set of
//! [`Instructions`]; a call runs the best that the processor has. Slices of one call have equal lengths unless said
//! otherwise. Sums run in a fixed number of lanes, so that they are the same on every call.

use crate::Instructions;
use crate::norm::EPSILON;

/// The partial sums of a reduction.
const LANES: usize = 32;

/// The columns that are held in registers while many rows are summed.
const BLOCK: usize = 64;

macro_rules! vectorised {
    ($($(#[$attribute:meta])* pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        mod body {
            use super::*;
            $(#[inline(always)] #[allow(clippy::too_many_arguments)]
            pub(super) fn $name<const FUSED: bool>($($argument: $type),*) $(-> $result)? $body)*
        }
        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            $(#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")] #[allow(clippy::too_many_arguments)]
            pub(super) fn $name($($argument: $type),*) $(-> $result)? { super::body::$name::<true>($($argument),*) })*
        }
        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            $(#[target_feature(enable = "avx2,fma")] #[allow(clippy::too_many_arguments)]
            pub(super) fn $name($($argument: $type),*) $(-> $result)? { super::body::$name::<true>($($argument),*) })*
        }
        mod portable {
            $(#[allow(clippy::too_many_arguments)]
            pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                super::body::$name::<{ cfg!(target_arch = "aarch64") }>($($argument),*)
            })*
        }
        $($(#[$attribute])* #[allow(clippy::too_many_arguments)] #[inline]
        pub fn $name($($argument: $type),*) $(-> $result)? {
            match Instructions::available() {
                // SAFETY: the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512 => unsafe { avx512::$name($($argument),*) },
                // SAFETY: the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2 => unsafe { avx2::$name($($argument),*) },
                _ => portable::$name($($argument),*),
            }
        })*
    };
}

/// a b + c, rounded once where the processor can: a call into a library would undo the gain of vectors.
#[inline(always)]
fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// e^x to 2 units in the last place; 0 below the smallest normal number.
#[inline(always)]
fn exp_of<const FUSED: bool>(x: f32) -> f32 {
    /// 1.5 · 2^23: adding it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with few bits so that its multiples are exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let bounded = x.clamp(-87.0, 88.0);
    let rounded = mul_add::<FUSED>(bounded, std::f32::consts::LOG2_E, ROUND);
    let power = rounded - ROUND;
    let r = mul_add::<FUSED>(power, -LN2[0], bounded);
    let r = mul_add::<FUSED>(power, -LN2[1], r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = mul_add::<FUSED>(p, r, c);
    }
    let p = mul_add::<FUSED>(p, r * r, r) + 1.0;
    let scale = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1f32.to_bits()));
    if x < -87.0 { 0.0 } else { p * scale }
}

/// tanh x to some units in the last place, as an odd rational function; right also for tiny x.
#[inline(always)]
fn tanh_of<const FUSED: bool>(x: f32) -> f32 {
    let x = x.clamp(-7.905_311, 7.905_311);
    let square = x * x;
    let mut p = -2.760_768_5e-16;
    for c in [2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619e-4, 4.893_524_6e-3] {
        p = mul_add::<FUSED>(p, square, c);
    }
    let mut q = 1.198_258_4e-6;
    for c in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3] {
        q = mul_add::<FUSED>(q, square, c);
    }
    x * p / q
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn sum_lanes(lanes: [f32; LANES]) -> f32 {
    // Without the barrier the compiler follows this tree up into the loop and vectorises by twos instead of sixteens.
    let mut lanes = std::hint::black_box(lanes);
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Σ term(elements), over equally long slices, in lanes; `term` adds to a sum.
#[inline(always)]
fn sum_of<const K: usize>(slices: [&[f32]; K], term: impl Fn([f32; K], f32) -> f32) -> f32 {
    let n = slices[0].len();
    let whole = n / LANES * LANES;
    let mut lanes = [0f32; LANES];
    for start in (0..whole).step_by(LANES) {
        // Of a length known to the compiler, so that no index needs a check.
        let chunks: [&[f32; LANES]; K] = slices.map(|s| s[start..start + LANES].try_into().expect("LANES elements"));
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum = term(chunks.map(|chunk| chunk[lane]), *sum);
        }
    }
    let mut sum = sum_lanes(lanes);
    for i in whole..n {
        sum = term(slices.map(|s| s[i]), sum);
    }
    sum
}

/// x ← e^(x - max), and the sum of the results, in lanes.
#[inline(always)]
fn exp_and_sum<const FUSED: bool>(x: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (x, sum) in chunk.iter_mut().zip(&mut lanes) {
            *x = exp_of::<FUSED>(*x - max);
            *sum += *x;
        }
    }
    let mut sum = sum_lanes(lanes);
    for x in chunks.into_remainder() {
        *x = exp_of::<FUSED>(*x - max);
        sum += *x;
    }
    sum
}

/// The largest element.
#[inline(always)]
fn max_of(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b))
}

/// x ← x + y.
#[inline(always)]
fn add_of(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

vectorised! {
    /// x ← σ(x).
    pub fn sigmoid(x: &mut [f32]) {
        for x in x {
            *x = 1.0 / (1.0 + exp_of::<FUSED>(-*x));
        }
    }

    /// x ← tanh x.
    pub fn tanh(x: &mut [f32]) {
        for x in x {
            *x = tanh_of::<FUSED>(*x);
        }
    }

    /// x ← e^x, 0 below the smallest normal number.
    pub fn exp(x: &mut [f32]) {
        for x in x {
            *x = exp_of::<FUSED>(*x);
        }
    }

    /// x ← softmax x; where x is -∞ the result is exactly 0. Not for a row that is -∞ everywhere.
    pub fn softmax(x: &mut [f32]) {
        let max = max_of(x);
        let scale = 1.0 / exp_and_sum::<FUSED>(x, max);
        for x in x {
            *x *= scale;
        }
    }

    /// Σ a b.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_of([a, &b[..a.len()]], |[a, b], sum| mul_add::<FUSED>(a, b, sum))
    }

    /// out ← out + x.
    pub fn add(out: &mut [f32], x: &[f32]) {
        add_of(out, x);
    }

    /// out ← a b.
    pub fn multiply(out: &mut [f32], a: &[f32], b: &[f32]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = a * b;
        }
    }

    /// out ← out + a b.
    pub fn add_product(out: &mut [f32], a: &[f32], b: &[f32]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = mul_add::<FUSED>(*a, *b, *out);
        }
    }

    /// x ← (x - mean) / √(variance + ε); returns 1 / √(variance + ε).
    pub fn normalize(x: &mut [f32]) -> f32 {
        let share = 1.0 / x.len() as f32;
        let mean = share * sum_of([&*x], |[x], sum| sum + x);
        let variance = share * sum_of([&*x], |[x], sum| mul_add::<FUSED>(x - mean, x - mean, sum));
        let scale = 1.0 / (variance + EPSILON).sqrt();
        for x in x {
            *x = (*x - mean) * scale;
        }
        scale
    }

    /// From the gradient of g x̂ that of x, whose x̂ and scale [`normalize`] has left.
    pub fn normalize_backward(d: &[f32], gain: &[f32], normalized: &[f32], scale: f32, d_x: &mut [f32]) {
        let n = d.len();
        let (gain, normalized, d_x) = (&gain[..n], &normalized[..n], &mut d_x[..n]);
        let share = 1.0 / n as f32;
        let mean = share * sum_of([d, gain], |[d, g], sum| mul_add::<FUSED>(d, g, sum));
        let along = share * sum_of([d, gain, normalized], |[d, g, x], sum| mul_add::<FUSED>(d * g, x, sum));
        for i in 0..n {
            d_x[i] = scale * (d[i] * gain[i] - mean - normalized[i] * along);
        }
    }

    /// The new state (1 - z) h + z h~.
    pub fn blend(new: &mut [f32], previous: &[f32], update: &[f32], candidate: &[f32]) {
        for (((new, h), z), c) in new.iter_mut().zip(previous).zip(update).zip(candidate) {
            *new = mul_add::<FUSED>(*z, c - h, *h);
        }
    }

    /// From the gradient of the new state, those of the update gate and the candidate before their nonlinearities, and
    /// of the previous state where it is blended.
    pub fn blend_backward(
        d_state: &mut [f32], previous: &[f32], update: &[f32], candidate: &[f32], d_update: &mut [f32], d_candidate: &mut [f32],
    ) {
        let n = d_state.len();
        let (previous, update, candidate) = (&previous[..n], &update[..n], &candidate[..n]);
        let (d_update, d_candidate) = (&mut d_update[..n], &mut d_candidate[..n]);
        for i in 0..n {
            let (d, z, c) = (d_state[i], update[i], candidate[i]);
            d_candidate[i] = d * z * (1.0 - c * c);
            d_update[i] = d * (c - previous[i]) * z * (1.0 - z);
            d_state[i] = d * (1.0 - z);
        }
    }

    /// The reset gate's gradient where it multiplies the state: `d` enters as the gradient of r ∘ h and leaves as h's.
    pub fn reset_before_backward(d: &mut [f32], reset: &[f32], state: &[f32], d_reset: &mut [f32]) {
        let n = d.len();
        let (reset, state, d_reset) = (&reset[..n], &state[..n], &mut d_reset[..n]);
        for i in 0..n {
            let r = reset[i];
            d_reset[i] = d[i] * state[i] * r * (1.0 - r);
            d[i] *= r;
        }
    }

    /// The reset gate's gradient where it multiplies the product U h + b, and the product's.
    pub fn reset_after_backward(d_candidate: &[f32], reset: &[f32], product: &[f32], d_reset: &mut [f32], d_product: &mut [f32]) {
        let n = d_candidate.len();
        let (reset, product) = (&reset[..n], &product[..n]);
        let (d_reset, d_product) = (&mut d_reset[..n], &mut d_product[..n]);
        for i in 0..n {
            let (d, r) = (d_candidate[i], reset[i]);
            d_reset[i] = d * product[i] * r * (1.0 - r);
            d_product[i] = d * r;
        }
    }

    /// The energy Σ v tanh(key + query).
    pub fn energy(key: &[f32], query: &[f32], v: &[f32]) -> f32 {
        let term = |[key, query, v]: [f32; 3], sum| mul_add::<FUSED>(tanh_of::<FUSED>(key + query), v, sum);
        sum_of([key, &query[..key.len()], &v[..key.len()]], term)
    }

    /// The gradients of all energies of one step: adds to those of the keys `[len, n']` and of `v`, sets the query's.
    ///
    /// The tanh is computed again, which takes less time than to store and read it. Where `d_energies` is 0 the keys
    /// are not read: padding costs nothing.
    pub fn energies_backward(
        keys: &[f32], query: &[f32], v: &[f32], d_energies: &[f32], d_keys: &mut [f32], d_query: &mut [f32], d_v: &mut [f32],
    ) {
        let n = query.len();
        for from in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - from);
            let (mut query_sums, mut v_sums, mut q, mut w) = ([0f32; BLOCK], [0f32; BLOCK], [0f32; BLOCK], [0f32; BLOCK]);
            q[..width].copy_from_slice(&query[from..from + width]);
            w[..width].copy_from_slice(&v[from..from + width]);
            for (j, &d) in d_energies.iter().enumerate().filter(|(_, d)| **d != 0.0) {
                let key = &keys[j * n + from..][..width];
                let d_key = &mut d_keys[j * n + from..][..width];
                for i in 0..width {
                    let t = tanh_of::<FUSED>(key[i] + q[i]);
                    let g = d * w[i] * (1.0 - t * t);
                    d_key[i] += g;
                    query_sums[i] += g;
                    v_sums[i] = mul_add::<FUSED>(d, t, v_sums[i]);
                }
            }
            d_query[from..from + width].copy_from_slice(&query_sums[..width]);
            for (d_v, sum) in d_v[from..from + width].iter_mut().zip(&v_sums) {
                *d_v += sum;
            }
        }
    }

    /// out ← Σ_j weights_j rows_j, over rows that lie `stride` apart; rows of weight 0 are not read.
    pub fn weighted_sum(out: &mut [f32], weights: &[f32], rows: &[f32], stride: usize) {
        let n = out.len();
        for from in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - from);
            let mut sums = [0f32; BLOCK];
            for (j, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                let row = &rows[j * stride + from..][..width];
                if width == BLOCK {
                    for (sum, x) in sums.iter_mut().zip(&row[..BLOCK]) {
                        *sum = mul_add::<FUSED>(weight, *x, *sum);
                    }
                } else {
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum = mul_add::<FUSED>(weight, *x, *sum);
                    }
                }
            }
            out[from..from + width].copy_from_slice(&sums[..width]);
        }
    }

    /// An update of Adam on slices of equal lengths, see [`crate::adam::Adam`].
    pub fn adam(adam: &crate::adam::Adam, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        let crate::adam::Adam { beta1, beta2, epsilon, scale, rate, correction } = *adam;
        for (((parameter, &gradient), first), second) in parameters.iter_mut().zip(gradients).zip(first).zip(second) {
            let gradient = gradient * scale;
            *first = beta1 * *first + (1.0 - beta1) * gradient;
            *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
            *parameter -= rate * *first / (second.sqrt() * correction + epsilon);
        }
    }

    /// Updates of Adam one after the other, each without a gradient: the same bits as [`adam`] with gradients of 0 gives.
    pub fn adam_without_gradient(
        updates: &[crate::adam::Adam], parameters: &mut [f32], first: &mut [f32], second: &mut [f32],
    ) {
        for from in (0..parameters.len()).step_by(LANES) {
            let to = parameters.len().min(from + LANES);
            let (mut p, mut m, mut v) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
            p[..to - from].copy_from_slice(&parameters[from..to]);
            m[..to - from].copy_from_slice(&first[from..to]);
            v[..to - from].copy_from_slice(&second[from..to]);
            for crate::adam::Adam { beta1, beta2, epsilon, rate, correction, .. } in updates {
                for ((p, m), v) in p.iter_mut().zip(&mut m).zip(&mut v) {
                    *m *= beta1;
                    *v *= beta2;
                    *p -= rate * *m / (v.sqrt() * correction + epsilon);
                }
            }
            parameters[from..to].copy_from_slice(&p[..to - from]);
            first[from..to].copy_from_slice(&m[..to - from]);
            second[from..to].copy_from_slice(&v[..to - from]);
        }
    }

    /// x ← x + bias, and the largest of each `part` elements, the last of which may be fewer; returns ln Σ e^x. What is not a
    /// number is no maximum.
    pub fn add_and_normalize(x: &mut [f32], bias: &[f32], part: usize, maxima: &mut [f32]) -> f32 {
        add_and_compare::<FUSED>(x, bias, part, maxima);
        let max = max_of(maxima);
        max + sum_of([x], |[x], sum| sum + exp_of::<FUSED>(x - max)).ln()
    }

    /// x ← x + bias, and the largest of each `part` elements, the last of which may be fewer. What is not a number is no maximum.
    pub fn add_and_compare(x: &mut [f32], bias: &[f32], part: usize, maxima: &mut [f32]) {
        for ((x, bias), max) in x.chunks_mut(part).zip(bias.chunks(part)).zip(maxima.iter_mut()) {
            for (x, bias) in x.iter_mut().zip(bias) {
                *x += bias;
            }
            *max = max_of(x);
        }
    }

    /// Σ a_i b_i in order, where b_i lie `stride` apart.
    pub fn dot_in_order(a: &[f32], b: &[f32], stride: usize) -> f32 {
        a.iter().zip(b.iter().step_by(stride)).fold(0.0, |sum, (a, b)| mul_add::<FUSED>(*a, *b, sum))
    }

    /// |x - y s|², where y are integers.
    pub fn square_distance(x: &[f32], integers: &[i8], scale: f32) -> f32 {
        let mut lanes = [0f32; LANES];
        for (x, integers) in x.chunks(LANES).zip(integers.chunks(LANES)) {
            for ((sum, x), &integer) in lanes.iter_mut().zip(x).zip(integers) {
                let off = x - f32::from(integer) * scale;
                *sum += off * off;
            }
        }
        sum_lanes(lanes)
    }

    /// The largest absolute value of lines of `width` numbers that begin `stride` apart, 0 of none; not finite where a number is not.
    pub fn largest(lines: &[f32], width: usize, stride: usize) -> f32 {
        // Without their sign, the bits of floats are ordered as they are, and what is not a number comes last.
        let bits = |x: &f32| x.to_bits() & (u32::MAX >> 1);
        let mut lanes = [0u32; LANES];
        for line in lines.chunks(stride) {
            let (whole, rest) = line[..width].as_chunks::<LANES>();
            for x in whole {
                for (lane, x) in lanes.iter_mut().zip(x) {
                    *lane = (*lane).max(bits(x));
                }
            }
            for (lane, x) in lanes.iter_mut().zip(rest) {
                *lane = (*lane).max(bits(x));
            }
        }
        f32::from_bits(lanes.into_iter().max().unwrap_or(0))
    }

    /// x as integers of -127 to 127 times a scale, which is returned: the largest number becomes ±127. Where a number is not
    /// finite, the scale is not.
    pub fn to_integers(x: &[f32], integers: &mut [i8]) -> f32 {
        /// 1.5 · 2^23: adding it leaves the nearest integer in the low bits.
        const ROUND: f32 = 12_582_912.0;
        let largest = largest::<FUSED>(x, x.len(), x.len().max(1));
        let factor = 127.0 / largest;
        let factor = if factor.is_finite() { factor } else { 0.0 };
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (x * factor + ROUND).to_bits() as i8;
        }
        largest / 127.0
    }

    /// The cross-entropy of one token; `logits` becomes its gradient.
    ///
    /// The target distribution is (1 - smoothing) at `target` and `smoothing` shared by all words equally.
    pub fn cross_entropy(logits: &mut [f32], bias: &[f32], target: usize, smoothing: f32) -> f32 {
        let n = logits.len();
        add_of(logits, bias);
        let share = smoothing / n as f32;
        let max = max_of(logits);
        let at_target = logits[target] - max;
        let all = if smoothing == 0.0 { 0.0 } else { sum_of([logits], |[logit], sum| sum + (logit - max)) };
        let sum = exp_and_sum::<FUSED>(logits, max);
        let scale = 1.0 / sum;
        for logit in logits.iter_mut() {
            *logit = mul_add::<FUSED>(*logit, scale, -share);
        }
        logits[target] -= 1.0 - smoothing;
        sum.ln() - (1.0 - smoothing) * at_target - share * all
    }

    /// Of some words' logits without the bias: the largest, Σ e^(logit - largest), and Σ logit; leaves anything in `logits`.
    pub fn log_sums(logits: &mut [f32], bias: &[f32]) -> [f32; 3] {
        add_of(logits, bias);
        let (max, all) = (max_of(logits), sum_of([logits], |[logit], sum| sum + logit));
        [max, exp_and_sum::<FUSED>(logits, max), all]
    }

    /// The mean Σ p x of a distribution from p - share.
    pub fn mean(p_less_share: &[f32], share: f32, x: &[f32]) -> f32 {
        sum_of([p_less_share, x], |[p, x], sum| mul_add::<FUSED>(p + share, x, sum))
    }

    /// p - share and q - share, the gradients of two rows of logits, get those of strength · ½ Σ (p - q) `apart` on top, where `apart` is
    /// the logits of p less those of q, and `means` are Σ p `apart` and Σ q `apart`.
    pub fn pull_together(p_less_share: &mut [f32], q_less_share: &mut [f32], apart: &[f32], means: [f32; 2], share: f32, strength: f32) {
        let n = apart.len();
        let (d_p, d_q, half) = (&mut p_less_share[..n], &mut q_less_share[..n], 0.5 * strength);
        for i in 0..n {
            let (p, q, difference) = (d_p[i] + share, d_q[i] + share, d_p[i] - d_q[i]);
            d_p[i] += half * mul_add::<FUSED>(p, apart[i] - means[0], difference);
            d_q[i] -= half * mul_add::<FUSED>(q, apart[i] - means[1], difference);
        }
    }

    /// Logits without the bias become p - share times a weight, where p = e^(logit - normalizer).
    pub fn softmax_gradient(logits: &mut [f32], bias: &[f32], normalizer: f32, share: f32, weight: f32) {
        for (logit, bias) in logits.iter_mut().zip(bias) {
            *logit = weight * (exp_of::<FUSED>(*logit + bias - normalizer) - share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Function<'a> = &'a dyn Fn(&mut [f32]);

    /// The definitions compiled for lesser processors mean the same: a sample of each kind of loop.
    #[test]
    fn all_instructions_agree() {
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * (1.0 + a.abs()));
        let x: Vec<f32> = (0..131).map(|i| (i as f32 * 0.7).sin() * 9.0).collect();
        let run = |functions: [Function; 6]| {
            functions.map(|f| {
                let mut x = x.clone();
                f(&mut x);
                x
            })
        };
        let (given, y): (_, Vec<f32>) = (x.clone(), x.iter().rev().copied().collect());
        let best = run([
            &sigmoid,
            &tanh,
            &softmax,
            &|x| x[0] = dot(&x[1..], &x[..130]),
            &|x| x[0] = normalize(&mut x[1..]),
            &|x| normalize_backward(&given, &y, &y, 0.1, x),
        ]);
        let portable = run([
            &portable::sigmoid,
            &portable::tanh,
            &portable::softmax,
            &|x| x[0] = portable::dot(&x[1..], &x[..130]),
            &|x| x[0] = portable::normalize(&mut x[1..]),
            &|x| portable::normalize_backward(&given, &y, &y, 0.1, x),
        ]);
        assert!(best.iter().zip(&portable).all(|(a, b)| close(a, b)));
        #[cfg(target_arch = "x86_64")]
        if Instructions::available() >= Instructions::Avx2 {
            // SAFETY: the processor has these instructions.
            let avx2 = unsafe {
                run([
                    &|x| avx2::sigmoid(x),
                    &|x| avx2::tanh(x),
                    &|x| avx2::softmax(x),
                    &|x| x[0] = avx2::dot(&x[1..], &x[..130]),
                    &|x| x[0] = avx2::normalize(&mut x[1..]),
                    &|x| avx2::normalize_backward(&given, &y, &y, 0.1, x),
                ])
            };
            assert!(best.iter().zip(&avx2).all(|(a, b)| close(a, b)));
        }
    }
}
