//! What is written in instructions: a tile of 8 rows and up to three vectors of columns.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::Rounded;
use crate::product::Write;

/// How many products are summed in 16 bits. Longer sums would be faster and less exact: 16, 32, 64 and 128 were right to
/// 0.9, 1.2, 1.6 and 2.1 thousandths, at 179, 227, 264 and 285 GFLOP/s (32-bit products had 160).
pub(super) const GROUP: usize = 64;

/// The rows of a tile.
const HEIGHT: usize = Twice::LANES;

/// How many rows of B ahead the first cache is filled.
const AHEAD: usize = 8;

/// A vector of 16-bit floats.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Lanes(#[allow(dead_code, reason = "read as a vector")] [u16; 32]);

/// 16-bit floats, each of them twice: the processor can spread 32 bits over a vector while it loads them, but not 16.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Twice([u32; 8]);

impl Rounded for Lanes {
    const LANES: usize = 32;

    #[target_feature(enable = "avx512f")]
    unsafe fn round(numbers: &[f32], scale: f32, target: &mut [MaybeUninit<Self>]) {
        assert_eq!(numbers.len(), target.len() * Self::LANES);
        let scale = _mm512_set1_ps(scale);
        for (numbers, target) in numbers.as_chunks::<16>().0.iter().zip(halves(target)) {
            // SAFETY: 16 floats are read and 16 halves of floats written.
            unsafe {
                let scaled = _mm512_mul_ps(_mm512_loadu_ps(numbers.as_ptr()), scale);
                _mm256_store_si256(target, _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(scaled));
            }
        }
    }
}

/// The two halves of each vector.
fn halves(vectors: &mut [MaybeUninit<Lanes>]) -> impl Iterator<Item = *mut __m256i> {
    vectors.iter_mut().flat_map(|vector| {
        let first: *mut __m256i = vector.as_mut_ptr().cast();
        [first, first.wrapping_add(1)]
    })
}

impl Rounded for Twice {
    const LANES: usize = 8;

    #[target_feature(enable = "avx512f,avx2,f16c")]
    unsafe fn round(numbers: &[f32], scale: f32, target: &mut [MaybeUninit<Self>]) {
        assert_eq!(numbers.len(), target.len() * Self::LANES);
        let scale = _mm256_set1_ps(scale);
        for (numbers, target) in numbers.as_chunks::<8>().0.iter().zip(target) {
            // SAFETY: 8 floats are read.
            let scaled = _mm256_mul_ps(unsafe { _mm256_loadu_ps(numbers.as_ptr()) }, scale);
            let once = _mm256_cvtepu16_epi32(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(scaled));
            let twice = _mm256_or_si256(once, _mm256_slli_epi32::<16>(once));
            // SAFETY: the place has 8 times 32 bits, and is aligned so.
            unsafe { _mm256_store_si256(target.as_mut_ptr().cast(), twice) };
        }
    }
}

/// A part of C, and what it is the product of.
pub(super) struct Tile<'t> {
    /// Rows of A^T: 8 columns each.
    pub a: &'t [Twice],
    /// Rows of B: as many vectors each as the tile is wide.
    pub b: &'t [Lanes],
    /// What undoes the scaling of both.
    pub scale: f32,
    /// Of the 8, those that C has.
    pub rows: usize,
    /// Of the vectors' columns, those that C has.
    pub columns: usize,
}

impl Tile<'_> {
    /// Writes the tile, or adds it, at `c` and in rows `stride` apart.
    ///
    /// # Safety
    ///
    /// The processor must have AVX512-FP16; and C must have these rows and columns, which nobody else reads or writes.
    pub(super) unsafe fn write(self, c: *mut f32, stride: usize, write: Write) {
        // SAFETY: as the caller promises.
        unsafe {
            match self.columns.div_ceil(Lanes::LANES) {
                1 => self.write_vectors::<1>(c, stride, write),
                2 => self.write_vectors::<2>(c, stride, write),
                _ => self.write_vectors::<3>(c, stride, write),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Self::write`].
    #[target_feature(enable = "avx512f,avx512bw,avx512fp16")]
    unsafe fn write_vectors<const V: usize>(self, c: *mut f32, stride: usize, write: Write) {
        assert_eq!(self.b.len(), self.a.len() * V);
        for row in 0..self.rows {
            for line in (0..self.columns).step_by(16) {
                _mm_prefetch::<_MM_HINT_ET0>(c.wrapping_add(row * stride + line).cast());
            }
        }
        let mut sums = [[[_mm512_setzero_ps(); 2]; V]; HEIGHT];
        let mut short = [[_mm512_setzero_si512(); V]; HEIGHT];
        for (a, b) in self.a.chunks(GROUP).zip(self.b.chunks(GROUP * V)) {
            // SAFETY: the processor has the instructions, and B as many rows as A.
            unsafe { sum_shortly::<V>(a, b, &mut short) };
            for (sums, short) in sums.as_flattened_mut().iter_mut().zip(short.as_flattened()) {
                let halves: *const __m256i = std::ptr::from_ref(short).cast();
                for (half, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: a vector has two halves.
                    let half = unsafe { _mm256_load_si256(halves.add(half)) };
                    *sum = _mm512_add_ps(*sum, _mm512_cvtxph_ps(_mm256_castsi256_ph(half)));
                }
            }
        }
        let scale = _mm512_set1_ps(self.scale);
        for (row, sums) in sums.iter().enumerate().take(self.rows) {
            for (vector, sum) in sums.as_flattened().iter().enumerate().take(self.columns.div_ceil(16)) {
                let mask = if self.columns < 16 * (vector + 1) { (1 << (self.columns % 16)) - 1 } else { !0 };
                // SAFETY: C has these rows and columns, as the caller promises; others are masked.
                unsafe {
                    let c = c.add(row * stride + 16 * vector);
                    let result = match write {
                        Write::Set => _mm512_mul_ps(*sum, scale),
                        Write::Add => _mm512_fmadd_ps(*sum, scale, _mm512_maskz_loadu_ps(mask, c)),
                    };
                    _mm512_mask_storeu_ps(c, mask, result);
                }
            }
        }
    }
}

/// The products of some rows in 16 bits, by row and vector.
///
/// # Safety
///
/// The processor must have AVX512-FP16, and `b` V vectors for each row of `a`.
// A function of its own, for where it is part of a larger one the sums do not stay in registers.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512fp16")]
unsafe fn sum_shortly<const V: usize>(a: &[Twice], b: &[Lanes], sums: &mut [[__m512i; V]; HEIGHT]) {
    debug_assert_eq!(b.len(), a.len() * V);
    let mut tile = [[_mm512_castsi512_ph(_mm512_setzero_si512()); V]; HEIGHT];
    let mut b = b.as_ptr();
    for a in a {
        let mut vectors = [_mm512_castsi512_ph(_mm512_setzero_si512()); V];
        for vector in &mut vectors {
            // SAFETY: there are V vectors for each row; a prefetch reads nothing, it may point anywhere.
            unsafe {
                *vector = _mm512_castsi512_ph(_mm512_load_si512(b.cast()));
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(AHEAD * V).cast());
                b = b.add(1);
            }
        }
        for (number, tile) in a.0.iter().zip(&mut tile) {
            let spread = _mm512_castsi512_ph(_mm512_set1_epi32(number.cast_signed()));
            for (vector, sum) in vectors.iter().zip(tile) {
                *sum = _mm512_fmadd_ph(spread, *vector, *sum);
            }
        }
    }
    for (sums, tile) in sums.iter_mut().zip(&tile) {
        for (sum, short) in sums.iter_mut().zip(tile) {
            *sum = _mm512_castph_si512(*short);
        }
    }
}
