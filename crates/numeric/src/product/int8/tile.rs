//! What is written for each set of instructions: the sums of products of integers, some rows by the columns of a panel.

/// The products that the instructions sum at once.
pub(super) const GROUP: usize = 4;

/// The columns of the widest panel.
pub(super) const WIDEST: usize = 48;

/// The rows of the highest tile.
pub(super) const HIGHEST: usize = 8;

/// Instructions that sum products of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Writes Σ_k a[i][k] w[k][j] to `sums[i][j]`, for rows `a` of whole groups, and the weight w of a panel of some vectors' width.
pub(super) fn sum_tile(dots: Dots, a: &[&[i8]], panel: &[u8], vectors: usize, sums: &mut [[i32; WIDEST]; HIGHEST]) {
    let length = panel.len() / (vectors * dots.lanes());
    assert!(a.iter().all(|row| row.len() == length && length.is_multiple_of(GROUP)), "rows have the panel's length");
    macro_rules! of_width {
        ($vectors:literal, $($rows:literal)*) => {
            match a.len() {
                $($rows => of_size::<$rows, $vectors>(dots, a, panel, sums),)*
                rows => unreachable!("{rows} rows are more than a tile has"),
            }
        };
    }
    match vectors {
        1 => of_width!(1, 1 2 3 4 5 6 7 8),
        2 => of_width!(2, 1 2 3 4 5 6 7 8),
        _ => of_width!(3, 1 2 3 4 5 6 7 8),
    }
}

fn of_size<const M: usize, const V: usize>(dots: Dots, a: &[&[i8]], panel: &[u8], sums: &mut [[i32; WIDEST]; HIGHEST]) {
    let a: &[&[i8]; M] = a.try_into().expect("M rows");
    match dots {
        Dots::Portable => portable::<M, V>(a, panel, sums),
        // SAFETY: `Dots` tells of instructions that the processor has, and the rows were seen to be long enough.
        #[cfg(target_arch = "x86_64")]
        Dots::Avx2 => unsafe { x86::avx2::<M, V>(a, panel, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Dots::Vnni256 => unsafe { x86::vnni256::<M, V>(a, panel, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Dots::Vnni512 => unsafe { x86::vnni512::<M, V>(a, panel, sums) },
        #[cfg(not(target_arch = "x86_64"))]
        other => unreachable!("{other:?} are instructions of x86-64"),
    }
}

/// The definition.
fn portable<const M: usize, const V: usize>(a: &[&[i8]; M], panel: &[u8], sums: &mut [[i32; WIDEST]; HIGHEST]) {
    sums[..M].iter_mut().for_each(|sums| sums.fill(0));
    for (group, weights) in panel.chunks_exact(8 * V * GROUP).enumerate() {
        for (a, sums) in a.iter().zip(sums.iter_mut()) {
            let a: [i32; GROUP] = std::array::from_fn(|i| i32::from(a[group * GROUP + i]));
            for (weights, sum) in weights.chunks_exact(GROUP).zip(sums) {
                *sum += (0..GROUP).map(|i| a[i] * i32::from(stored(weights[i] as i8) as i8)).sum::<i32>();
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{GROUP, HIGHEST, WIDEST};

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
    fn excess(row: &[i8]) -> i32 {
        -128 * row.iter().map(|&integer| i32::from(integer)).sum::<i32>()
    }

    macro_rules! vnni {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $splat:ident, $dot:ident, $store:ident) => {
            /// # Safety
            ///
            /// The processor must have the instructions, and each row as many groups as the panel.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name<const M: usize, const V: usize>(
                a: &[&[i8]; M],
                panel: &[u8],
                sums: &mut [[i32; WIDEST]; HIGHEST],
            ) {
                const { assert!(M <= HIGHEST && V * $lanes <= WIDEST) };
                debug_assert!(a.iter().all(|row| row.len() >= panel.len() / ($lanes * V)));
                let mut tile = [[$zero(); V]; M];
                for (row, tile) in a.iter().zip(&mut tile) {
                    *tile = [$splat(excess(row)); V];
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
                for (tile, sums) in tile.iter().zip(sums) {
                    for (v, sum) in tile.iter().enumerate() {
                        // SAFETY: a row of `sums` has room for V vectors (asserted).
                        unsafe { $store(sums[$lanes * v..].as_mut_ptr().cast(), *sum) };
                    }
                }
            }
        };
    }

    vnni!(
        vnni512,
        "avx512f,avx512vnni",
        16,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_set1_epi32,
        _mm512_dpbusd_epi32,
        _mm512_storeu_si512
    );
    vnni!(
        vnni256,
        "avx2,avxvnni",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_set1_epi32,
        _mm256_dpbusd_avx_epi32,
        _mm256_storeu_si256
    );

    /// Without instructions for groups of 4: pairs are summed in 16 bits, which two products of 127 by 127 just fit.
    ///
    /// # Safety
    ///
    /// As for the others.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn avx2<const M: usize, const V: usize>(
        a: &[&[i8]; M],
        panel: &[u8],
        sums: &mut [[i32; WIDEST]; HIGHEST],
    ) {
        const { assert!(M <= HIGHEST && V * 8 <= WIDEST) };
        debug_assert!(a.iter().all(|row| row.len() >= panel.len() / (8 * V)));
        let (sign, ones) = (_mm256_set1_epi8(i8::MIN), _mm256_set1_epi16(1));
        let mut tile = [[_mm256_setzero_si256(); V]; M];
        let a = a.map(<[i8]>::as_ptr);
        for (i, weights) in panel.chunks_exact(8 * GROUP * V).enumerate() {
            let mut b = [_mm256_setzero_si256(); V];
            for (v, b) in b.iter_mut().enumerate() {
                // SAFETY: `weights` has V vectors.
                let stored = unsafe { _mm256_loadu_si256(weights[8 * GROUP * v..].as_ptr().cast()) };
                *b = _mm256_xor_si256(stored, sign);
            }
            for (a, tile) in a.iter().zip(&mut tile) {
                // SAFETY: the caller promises that the row has this group.
                let x = _mm256_set1_epi32(unsafe { group(*a, i) });
                let size = _mm256_abs_epi8(x);
                for (b, sum) in b.iter().zip(tile) {
                    let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(*b, x));
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        for (tile, sums) in tile.iter().zip(sums) {
            for (v, sum) in tile.iter().enumerate() {
                // SAFETY: a row of `sums` has room for V vectors (asserted).
                unsafe { _mm256_storeu_si256(sums[8 * v..].as_mut_ptr().cast(), *sum) };
            }
        }
    }
}
