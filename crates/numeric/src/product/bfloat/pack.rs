//! Rounding 16 lines of 32 numbers into a tile.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::tile::{SIDE, TILE_DEPTH};
use super::{Line, Matrix, PANEL};

/// How a tile holds numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A row of the tile is a line: as the left factor is read.
    Lines,
    /// A row of the tile is two neighbouring numbers of every line: as the right factor is read.
    Pairs,
}

/// Which of two numbers in 16 bits whose sum is near a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The nearest to it.
    High,
    /// The nearest to what the first leaves.
    Low,
}

/// In the order in which they are stored.
pub(super) const PIECES: [Piece; 2] = [Piece::High, Piece::Low];

/// Rounds 16 rows of a matrix from a row and a column on, beyond its end zeros.
///
/// # Safety
///
/// The processor must have AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pack_tile(
    matrix: Matrix,
    line: usize,
    from: usize,
    (layout, piece): (Layout, Piece),
    target: &mut [MaybeUninit<Line>; SIDE],
) {
    let Matrix { data, rows, columns, row_stride, column_stride } = matrix;
    let is_whole = line + SIDE <= rows && from + TILE_DEPTH <= columns;
    let start = line * row_stride + from * column_stride;
    // SAFETY: the tile lies within the matrix where it is read from there, and the scratch is as large as a tile.
    let (stored, tile) = unsafe {
        if is_whole && column_stride == 1 {
            (Layout::Lines, read_lines(data[start..].as_ptr(), row_stride, piece))
        } else if is_whole && row_stride == 1 {
            (Layout::Pairs, read_pairs(data[start..].as_ptr(), column_stride, piece))
        } else {
            let mut scratch = [0.0; SIDE * TILE_DEPTH];
            for (row, scratch) in (line..rows).zip(scratch.chunks_exact_mut(TILE_DEPTH)) {
                for (column, scratch) in (from..columns).zip(scratch) {
                    *scratch = data[row * row_stride + column * column_stride];
                }
            }
            (Layout::Lines, read_lines(scratch.as_ptr(), TILE_DEPTH, piece))
        }
    };
    let tile = if stored == layout { tile } else { transpose(tile) };
    for (row, target) in tile.into_iter().zip(target) {
        // SAFETY: a line is a vector, and aligned so.
        unsafe { _mm512_store_si512(target.as_mut_ptr().cast(), row) };
    }
}

/// Rounds up to 32 rows into a panel of lines, of which the first `pieces` are stored, the missing rows zeros; of the second tile only
/// if there are more than 16.
///
/// # Safety
///
/// The processor must have AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pack_rows(rows: &[&[f32]], steps: usize, pieces: usize, target: &mut Vec<Line>) {
    debug_assert!(rows.len() <= PANEL);
    target.resize(steps * pieces * PANEL, Line::ZERO);
    if !rows.len().is_multiple_of(SIDE) {
        let missing = rows.len()..rows.len().next_multiple_of(SIDE);
        target.chunks_exact_mut(PANEL).for_each(|panel| panel[missing.clone()].fill(Line::ZERO));
    }
    for (line, row) in rows.iter().enumerate() {
        assert_eq!(row.len().div_ceil(TILE_DEPTH), steps, "as many elements as the weight has rows");
        for (numbers, step) in row.chunks(TILE_DEPTH).zip(target.chunks_exact_mut(pieces * PANEL)) {
            let mask = |from: usize| !(u32::MAX << (numbers.len().max(from) - from).min(16) as u32) as u16;
            // SAFETY: numbers beyond the end are masked.
            let (low, high) = unsafe {
                let low = _mm512_maskz_loadu_ps(mask(0), numbers.as_ptr());
                (low, _mm512_maskz_loadu_ps(mask(16), numbers.as_ptr().wrapping_add(16)))
            };
            for (panel, piece) in step.chunks_exact_mut(PANEL).zip(PIECES) {
                // SAFETY: a line is a vector, and aligned so.
                unsafe { _mm512_store_si512((&raw mut panel[line]).cast(), round(low, high, piece)) };
            }
        }
    }
}

/// Lines of neighbouring numbers.
///
/// # Safety
///
/// 16 rows of 32 numbers must be there.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn read_lines(from: *const f32, stride: usize, piece: Piece) -> [__m512i; SIDE] {
    std::array::from_fn(|line| {
        // SAFETY: as the caller promises.
        let (low, high) = unsafe {
            let line = from.add(line * stride);
            (_mm512_loadu_ps(line), _mm512_loadu_ps(line.add(16)))
        };
        round(low, high, piece)
    })
}

/// Pairs of numbers of lines that lie side by side.
///
/// # Safety
///
/// 32 rows of 16 numbers must be there.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn read_pairs(from: *const f32, stride: usize, piece: Piece) -> [__m512i; SIDE] {
    const TURNS: [u16; 32] = {
        let mut turns = [0; 32];
        let mut i = 0;
        while i < 32 {
            turns[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        turns
    };
    // SAFETY: 32 numbers of 16 bits.
    let turns = unsafe { _mm512_loadu_si512(TURNS.as_ptr().cast()) };
    std::array::from_fn(|pair| {
        // SAFETY: as the caller promises.
        let (first, second) = unsafe {
            let row = from.add(2 * pair * stride);
            (_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(stride)))
        };
        _mm512_permutexvar_epi16(turns, round(first, second, piece))
    })
}

/// Rounds 32 numbers.
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(first: __m512, second: __m512, piece: Piece) -> __m512i {
    let rounded = match piece {
        Piece::High => _mm512_cvtne2ps_pbh(second, first),
        Piece::Low => _mm512_cvtne2ps_pbh(rest(second), rest(first)),
    };
    // SAFETY: both are 64 bytes of which any bits are a value.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) }
}

/// What rounding leaves of numbers: of such as are infinite or no number nothing.
#[target_feature(enable = "avx512f,avx512bf16")]
fn rest(numbers: __m512) -> __m512 {
    // SAFETY: both are 32 bytes of which any bits are a value.
    let rounded = unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(numbers)) };
    let rounded = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(rounded)));
    let is_finite = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(rounded), _mm512_set1_ps(f32::INFINITY));
    _mm512_maskz_sub_ps(is_finite, numbers, rounded)
}

/// Exchanges rows and columns of 16 by 16 pairs.
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; SIDE]) -> [__m512i; SIDE] {
    // Pairs of rows, then fours of them within each 128 bits; then the 128 bits of four rows at a time.
    let twos: [__m512i; SIDE] = std::array::from_fn(|i| {
        let (a, b) = (rows[i / 2 * 2], rows[i / 2 * 2 + 1]);
        if i % 2 == 0 { _mm512_unpacklo_epi32(a, b) } else { _mm512_unpackhi_epi32(a, b) }
    });
    let fours: [__m512i; SIDE] = std::array::from_fn(|i| {
        let (a, b) = (twos[i / 4 * 4 + i % 4 / 2], twos[i / 4 * 4 + i % 4 / 2 + 2]);
        if i % 2 == 0 { _mm512_unpacklo_epi64(a, b) } else { _mm512_unpackhi_epi64(a, b) }
    });
    let eights: [__m512i; SIDE] = std::array::from_fn(|i| {
        let (a, b) = (fours[i / 8 * 8 + i % 4], fours[i / 8 * 8 + i % 4 + 4]);
        if i % 8 < 4 { _mm512_shuffle_i32x4::<0x88>(a, b) } else { _mm512_shuffle_i32x4::<0xdd>(a, b) }
    });
    std::array::from_fn(|i| {
        let (a, b) = (eights[i % 8], eights[i % 8 + 8]);
        if i < 8 { _mm512_shuffle_i32x4::<0x88>(a, b) } else { _mm512_shuffle_i32x4::<0xdd>(a, b) }
    })
}
