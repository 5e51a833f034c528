//! What is written for each set of instructions: the inner loop of [`Packed`](super::Packed), a tile of some rows and the columns
//! of a panel with its sums in registers, and transposing.

use super::Write;
use crate::Instructions;

/// The number of elements in a vector.
pub(super) fn lanes(instructions: Instructions) -> usize {
    match instructions {
        Instructions::Portable => 4,
        Instructions::Avx2 => 8,
        Instructions::Avx512 => 16,
    }
}

/// The products of M rows with a panel of V vectors' width.
#[inline(always)]
pub(super) fn sum_tile<const M: usize, const V: usize>(
    instructions: Instructions,
    a: &[&[f32]; M],
    panel: &[f32],
    c: &mut [&mut [f32]; M],
    write: Write,
) {
    let k = panel.len() / (V * lanes(instructions));
    assert!(a.iter().all(|row| row.len() >= k), "rows have k elements");
    match instructions {
        // SAFETY: `Packed::with` saw that the processor has these instructions, and the rows were seen to be long enough.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => unsafe { x86::avx512::<M, V>(a, panel, c, write) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { x86::avx2::<M, V>(a, panel, c, write) },
        _ => portable::<M, V>(a, panel, c, write),
    }
}

/// The side of the squares in which a matrix is transposed.
pub(super) const SQUARE: usize = 8;

/// Writes the columns of `rows` as rows that lie `stride` apart, as many as squares hold; returns how many.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "there is one way only"))]
pub(super) fn transpose(
    instructions: Instructions,
    rows: [&[f32]; SQUARE],
    target: &mut [f32],
    stride: usize,
) -> usize {
    let whole = rows[0].len() / SQUARE * SQUARE;
    #[cfg(target_arch = "x86_64")]
    if instructions >= Instructions::Avx2 && whole > 0 {
        assert!(rows.iter().all(|row| row.len() >= whole) && target.len() >= (whole - 1) * stride + SQUARE);
        // SAFETY: the processor has these instructions (`Packed::with`), and the lengths are as asked for.
        unsafe { x86::transpose(rows.map(<[f32]>::as_ptr), whole, target.as_mut_ptr(), stride) };
        return whole;
    }
    for column in 0..whole {
        let target = &mut target[column * stride..][..SQUARE];
        target.iter_mut().zip(rows).for_each(|(target, row)| *target = row[column]);
    }
    whole
}

/// a b added to a sum, as the portable tile does.
#[inline(always)]
pub(super) fn portable_term(a: f32, b: f32, sum: f32) -> f32 {
    if cfg!(target_arch = "aarch64") { a.mul_add(b, sum) } else { a * b + sum }
}

/// The tile without vector instructions by name: 4 columns a vector.
fn portable<const M: usize, const V: usize>(a: &[&[f32]; M], panel: &[f32], c: &mut [&mut [f32]; M], write: Write) {
    let mut tile = [[[0f32; 4]; V]; M];
    for (i, row) in panel.chunks_exact(4 * V).enumerate() {
        for (a, tile) in a.iter().zip(&mut tile) {
            for (b, sums) in row.chunks_exact(4).zip(tile) {
                for (b, sum) in b.iter().zip(sums) {
                    *sum = portable_term(a[i], *b, *sum);
                }
            }
        }
    }
    for (c, tile) in c.iter_mut().zip(&tile) {
        for (c, sum) in c.iter_mut().zip(tile.as_flattened()) {
            *c = if write == Write::Add { *c + sum } else { *sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The tiles in AVX2 and AVX-512. Sums stay in registers: 8 by 3 of 32, or 4 by 3 of 16.

    use std::arch::x86_64::*;

    use super::Write;

    /// How many rows of the panel ahead the first cache is filled: a panel is larger than it, and the processor's own guess
    /// comes late.
    const AHEAD: usize = 8;

    /// Writes the first `columns` columns of 8 rows as rows of 8 elements that lie `stride` apart.
    ///
    /// # Safety
    ///
    /// The processor must have AVX2; `columns` must be a multiple of 8; each row must have as many elements; and the target
    /// room for as many rows.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose(rows: [*const f32; 8], columns: usize, target: *mut f32, stride: usize) {
        for from in (0..columns).step_by(8) {
            // SAFETY: the caller promises that the rows have these elements.
            let r: [__m256; 8] = rows.map(|row| unsafe { _mm256_loadu_ps(row.add(from)) });
            let pairs: [__m256; 8] = std::array::from_fn(|i| {
                let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
                if i % 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) }
            });
            let fours: [__m256; 8] = std::array::from_fn(|i| {
                let (a, b) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + i % 4 / 2 + 2]);
                if i % 2 == 0 { _mm256_shuffle_ps::<0x44>(a, b) } else { _mm256_shuffle_ps::<0xEE>(a, b) }
            });
            for i in 0..8 {
                let (a, b) = (fours[i % 4], fours[i % 4 + 4]);
                let column =
                    if i < 4 { _mm256_permute2f128_ps::<0x20>(a, b) } else { _mm256_permute2f128_ps::<0x31>(a, b) };
                // SAFETY: the caller promises that the target has room.
                unsafe { _mm256_storeu_ps(target.add((from + i) * stride), column) };
            }
        }
    }

    macro_rules! tile {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $splat:ident, $fused:ident, $add:ident, $store:ident) => {
            /// Writes the products of M rows with a panel of V vectors' width.
            ///
            /// # Safety
            ///
            /// The processor must have the instructions, and each row of `a` at least as many elements as `panel` has
            /// rows of V vectors.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name<const M: usize, const V: usize>(
                a: &[&[f32]; M],
                panel: &[f32],
                c: &mut [&mut [f32]; M],
                write: Write,
            ) {
                debug_assert!(a.iter().all(|row| row.len() >= panel.len() / ($lanes * V)));
                let a = a.map(<[f32]>::as_ptr);
                let mut tile = [[$zero(); V]; M];
                for (i, row) in panel.chunks_exact($lanes * V).enumerate() {
                    let mut b = [$zero(); V];
                    for (v, b) in b.iter_mut().enumerate() {
                        let vector = row[$lanes * v..].as_ptr();
                        // SAFETY: `row` has V vectors; a prefetch reads nothing, it may point anywhere.
                        unsafe {
                            *b = $load(vector);
                            _mm_prefetch::<_MM_HINT_T0>(vector.wrapping_add(AHEAD * $lanes * V).cast());
                        }
                    }
                    for (a, tile) in a.iter().zip(&mut tile) {
                        // SAFETY: the caller promises that the row has this element.
                        let x = $splat(unsafe { *a.add(i) });
                        for (b, sum) in b.iter().zip(tile) {
                            *sum = $fused(x, *b, *sum);
                        }
                    }
                }
                for r in 0..M {
                    assert!(c[r].len() >= $lanes * V);
                    let c = c[r].as_mut_ptr();
                    for v in 0..V {
                        // SAFETY: the row has room for V vectors.
                        unsafe {
                            let sum = tile[r][v];
                            let sum = if write == Write::Add { $add($load(c.add($lanes * v)), sum) } else { sum };
                            $store(c.add($lanes * v), sum);
                        }
                    }
                }
            }
        };
    }

    tile!(
        avx512,
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
    tile!(
        avx2,
        "avx2,fma",
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}
