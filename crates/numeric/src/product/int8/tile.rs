//! What is written for each set of instructions: the products of some rows with the columns of a panel.

use crate::product::Write;

/// The products that the instructions sum at once.
pub(super) const GROUP: usize = 4;

/// The columns of the widest panel.
pub(super) const WIDEST: usize = 48;

/// The rows of the highest tile.
pub(super) const HIGHEST: usize = 8;

/// Instructions that sum products of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "the others are of x86-64"))]
pub(super) enum Dots {
    Portable,
    Avx2,
    /// AVX-VNNI: 256 bits.
    Vnni256,
    /// AVX512-VNNI.
    Vnni512,
}

/// How a weight's integer is stored: the instructions take one side without signs.
pub(super) fn stored(integer: i8) -> u8 {
    integer as u8 ^ 0x80
}

impl Dots {
    /// The best that this processor has.
    pub(super) fn available() -> Self {
        Self::all().last().expect("the portable one is always there")
    }

    /// All that this processor has, the portable one first.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        use std::arch::is_x86_feature_detected as has;
        let sets = [
            (Self::Portable, true),
            (Self::Avx2, has!("avx2")),
            (Self::Vnni256, has!("avx2") && has!("avxvnni")),
            (Self::Vnni512, has!("avx512f") && has!("avx512vnni")),
        ];
        sets.into_iter().filter_map(|(set, has)| has.then_some(set))
    }

    /// All that this processor has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::Portable].into_iter()
    }

    /// The columns of a vector.
    pub(super) fn lanes(self) -> usize {
        if self == Self::Vnni512 { 16 } else { 8 }
    }

    /// The most rows of a tile: their sums stay in registers.
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 2,
            Self::Vnni256 => 4,
            Self::Vnni512 => HIGHEST,
        }
    }
}

/// What the sums of integers are to be multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Scales<'s> {
    /// A scale for each row of the tile.
    pub(super) rows: &'s [f32],
    /// A scale for each column of the panel.
    pub(super) columns: &'s [f32],
}

impl Scales<'_> {
    /// The product of row i and column j, from the sum of its integers.
    fn scaled(&self, i: usize, j: usize, sum: i32) -> f32 {
        sum as f32 * (self.rows[i] * self.columns[j])
    }
}

/// Multiplies rows `a` of whole groups by a panel; `c` has room for its whole vectors.
pub(super) fn multiply_tile(dots: Dots, a: &[&[i8]], panel: &[u8], scales: Scales, c: &mut [&mut [f32]], write: Write) {
    let width = scales.columns.len();
    let length = panel.len() / width;
    assert!(a.iter().all(|row| row.len() == length && length.is_multiple_of(GROUP)), "rows have the panel's length");
    assert!(c.len() == a.len() && scales.rows.len() == a.len() && c.iter().all(|row| row.len() >= width));
    macro_rules! of_width {
        ($vectors:literal, $($rows:literal)*) => {
            match a.len() {
                $($rows => of_size::<$rows, $vectors>(dots, a, panel, scales, c, write),)*
                rows => unreachable!("{rows} rows are more than a tile has"),
            }
        };
    }
    match width / dots.lanes() {
        1 => of_width!(1, 1 2 3 4 5 6 7 8),
        2 => of_width!(2, 1 2 3 4 5 6 7 8),
        _ => of_width!(3, 1 2 3 4 5 6 7 8),
    }
}

fn of_size<const M: usize, const V: usize>(
    dots: Dots,
    a: &[&[i8]],
    panel: &[u8],
    scales: Scales,
    c: &mut [&mut [f32]],
    write: Write,
) {
    let a: &[&[i8]; M] = a.try_into().expect("M rows");
    let c: &mut [&mut [f32]; M] = c.try_into().expect("M rows");
    match dots {
        Dots::Portable => portable::<M, V>(a, panel, scales, c, write),
        // SAFETY: `Dots` tells of instructions that the processor has, and all lengths were seen to fit.
        #[cfg(target_arch = "x86_64")]
        Dots::Avx2 => unsafe { x86::avx2::<M, V>(a, panel, scales, c, write) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Dots::Vnni256 => unsafe { x86::vnni256::<M, V>(a, panel, scales, c, write) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Dots::Vnni512 => unsafe { x86::vnni512::<M, V>(a, panel, scales, c, write) },
        #[cfg(not(target_arch = "x86_64"))]
        other => unreachable!("{other:?} are instructions of x86-64"),
    }
}

/// The definition.
fn portable<const M: usize, const V: usize>(
    a: &[&[i8]; M],
    panel: &[u8],
    scales: Scales,
    c: &mut [&mut [f32]; M],
    write: Write,
) {
    let mut tile = [[0i32; WIDEST]; M];
    for (group, weights) in panel.chunks_exact(8 * V * GROUP).enumerate() {
        for (a, sums) in a.iter().zip(&mut tile) {
            let a: [i32; GROUP] = std::array::from_fn(|i| i32::from(a[group * GROUP + i]));
            for (weights, sum) in weights.chunks_exact(GROUP).zip(sums) {
                *sum += (0..GROUP).map(|i| a[i] * i32::from(stored(weights[i] as i8) as i8)).sum::<i32>();
            }
        }
    }
    for (i, (c, sums)) in c.iter_mut().zip(&tile).enumerate() {
        for (j, (c, &sum)) in c.iter_mut().zip(&sums[..8 * V]).enumerate() {
            let product = scales.scaled(i, j, sum);
            *c = if write == Write::Add { *c + product } else { product };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{GROUP, Scales};
    use crate::product::Write;

    /// 4 integers of a row.
    ///
    /// # Safety
    ///
    /// The row must have them.
    #[inline(always)]
    unsafe fn group(row: *const i8, group: usize) -> i32 {
        // SAFETY: as the caller promises.
        unsafe { row.add(group * GROUP).cast::<i32>().read_unaligned() }
    }

    /// What the sums of a row begin with, to take back the 128 that every stored weight is too large by.
    #[inline(always)]
    fn excess(row: &[i8]) -> i32 {
        -128 * row.iter().map(|&integer| i32::from(integer)).sum::<i32>()
    }

    macro_rules! tile {
        (
            $name:ident, $features:literal, $lanes:literal, $begin:expr, $dot:expr,
            $zero:ident, $load:ident, $splat:ident,
            $convert:ident, $load_scales:ident, $splat_scale:ident, $multiply:ident, $add:ident, $store:ident
        ) => {
            /// # Safety
            ///
            /// The processor must have the instructions, each row as many groups as the panel, and `c` and the scales of columns
            /// room for V vectors.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name<const M: usize, const V: usize>(
                a: &[&[i8]; M],
                panel: &[u8],
                scales: Scales,
                c: &mut [&mut [f32]; M],
                write: Write,
            ) {
                debug_assert!(a.iter().all(|row| row.len() >= panel.len() / ($lanes * V)));
                debug_assert!(c.iter().all(|row| row.len() >= $lanes * V) && scales.columns.len() >= $lanes * V);
                let mut tile = [[$zero(); V]; M];
                for (row, tile) in a.iter().zip(&mut tile) {
                    *tile = [$splat($begin(row)); V];
                }
                let a = a.map(<[i8]>::as_ptr);
                for (i, weights) in panel.chunks_exact($lanes * GROUP * V).enumerate() {
                    let mut b = [$zero(); V];
                    for (v, b) in b.iter_mut().enumerate() {
                        // SAFETY: `weights` has V vectors.
                        *b = unsafe { $load(weights[$lanes * GROUP * v..].as_ptr().cast()) };
                    }
                    for (a, tile) in a.iter().zip(&mut tile) {
                        // SAFETY: the caller promises that the row has this group.
                        let x = $splat(unsafe { group(*a, i) });
                        for (b, sum) in b.iter().zip(tile) {
                            *sum = $dot(*sum, *b, x);
                        }
                    }
                }
                for (i, (c, sums)) in c.iter_mut().zip(&tile).enumerate() {
                    let row = $splat_scale(scales.rows[i]);
                    for (v, sum) in sums.iter().enumerate() {
                        // SAFETY: the caller promises that there are V vectors.
                        unsafe {
                            let target = c.as_mut_ptr().add($lanes * v);
                            let scale = $multiply(row, $load_scales(scales.columns.as_ptr().add($lanes * v)));
                            let product = $multiply($convert(*sum), scale);
                            let product =
                                if write == Write::Add { $add($load_scales(target), product) } else { product };
                            $store(target, product);
                        }
                    }
                }
            }
        };
    }

    tile!(
        vnni512,
        "avx512f,avx512vnni",
        16,
        excess,
        |sum, b, x| _mm512_dpbusd_epi32(sum, b, x),
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_set1_epi32,
        _mm512_cvtepi32_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_mul_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
    tile!(
        vnni256,
        "avx2,avxvnni",
        8,
        excess,
        |sum, b, x| _mm256_dpbusd_avx_epi32(sum, b, x),
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_set1_epi32,
        _mm256_cvtepi32_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_mul_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
    // Without instructions for groups of 4, pairs are summed in 16 bits, which two products of 127 by 127 just fit.
    tile!(
        avx2,
        "avx2",
        8,
        |_| 0,
        |sum, b, x| {
            let b = _mm256_xor_si256(b, _mm256_set1_epi8(i8::MIN));
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(b, x));
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        },
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_set1_epi32,
        _mm256_cvtepi32_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_mul_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}
