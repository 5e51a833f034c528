//! What is written in instructions: the product of two panels, by tiles of 16 rows (AMX).

use std::arch::asm;
use std::sync::OnceLock;

use super::{Line, PANEL};
use crate::product::Write;

/// The rows of a tile, and of 32-bit numbers its columns.
pub(in crate::product) const SIDE: usize = 16;

/// The numbers of a sum that one instruction adds up.
pub(in crate::product) const TILE_DEPTH: usize = 32;

/// Bytes of a tile, and of a row of it.
const TILE: usize = 1024;
const ROW: usize = 64;

/// Whether the processor has AMX for bfloat16 and the system lets this process use it; asks the system for that once.
pub(in crate::product) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE
        .get_or_init(|| crate::Instructions::available() == crate::Instructions::Avx512 && has_amx() && may_use_tiles())
}

fn has_amx() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    /// Bits of leaf 7.
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    if !std::arch::is_x86_feature_detected!("avx512bf16") || __cpuid(0).eax < 7 {
        return false;
    }
    __cpuid_count(7, 0).edx & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE
}

/// The registers are 8 KB, which Linux saves only for processes that ask for it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn may_use_tiles() -> bool {
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers, and changes nothing but what it is to allow.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn may_use_tiles() -> bool {
    false
}

/// The tile registers of this thread are shaped for products of some rows as long as this lives.
pub(super) struct Configured {
    /// The rows that products may have.
    rows: usize,
    /// Registers are a thread's own: this must not go to another.
    _here: std::marker::PhantomData<*const ()>,
}

impl Configured {
    /// For any products.
    ///
    /// # Panics
    ///
    /// If the process has no AMX, see [`is_available`].
    pub(super) fn new() -> Self {
        Self::of(PANEL)
    }

    /// For products of so many rows, up to two tiles: those of few are faster for it.
    ///
    /// # Panics
    ///
    /// If the process has no AMX, see [`is_available`], or there are more rows.
    pub(super) fn of(rows: usize) -> Self {
        assert!(is_available() && rows <= PANEL);
        /// Registers that hold the first 16 rows, two tiles of C and one of A, and those of the second 16; the others hold B.
        const FIRST: [usize; 3] = [0, 1, 4];
        const SECOND: [usize; 3] = [2, 3, 5];
        #[repr(align(64))]
        struct Shapes([u8; 64]);
        let mut shapes = Shapes([0; 64]);
        shapes.0[0] = 1;
        for register in 0..8 {
            let rows = match register {
                _ if FIRST.contains(&register) => rows.clamp(1, SIDE),
                _ if SECOND.contains(&register) => rows.clamp(SIDE + 1, PANEL) - SIDE,
                _ => SIDE,
            };
            shapes.0[16 + 2 * register] = ROW as u8;
            shapes.0[48 + register] = rows as u8;
        }
        // SAFETY: the processor has the instruction; 64 bytes are read.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly, preserves_flags)) };
        Self { rows, _here: std::marker::PhantomData }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: the processor has the instruction, or there would be no value.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

/// A part of C, and what it is the product of.
pub(super) struct Tile<'t> {
    /// A panel of lines.
    pub a: &'t [Line],
    /// A panel of pairs.
    pub b: &'t [Line],
    /// Of the panel's lines, those that C has as rows.
    pub rows: usize,
    /// Those that C has as columns.
    pub columns: usize,
}

impl Tile<'_> {
    /// Writes the product of the panels, or adds it, at `c` and in rows `stride` apart.
    ///
    /// # Safety
    ///
    /// C must have these rows and columns, which nobody else reads or writes; and have been written, if it is added to.
    pub(super) unsafe fn write(
        self,
        configured: &Configured,
        c: *mut f32,
        stride: usize,
        write: Write,
        Sums(sums): &mut Sums,
    ) {
        assert_eq!(configured.rows, PANEL);
        assert_eq!(self.a.len(), self.b.len());
        if self.rows == PANEL && self.columns == PANEL {
            // SAFETY: as the caller promises.
            return unsafe { sum(configured, self.a, self.b, c, stride, write) };
        }
        let sums = sums.as_mut_ptr().cast::<f32>();
        // What is added to takes the same way into the sums as in a whole tile: the bits are the same.
        // SAFETY: C has these rows and columns, as the caller promises; there is room for two panels' product.
        unsafe {
            for row in (0..self.rows).filter(|_| write == Write::Add) {
                std::ptr::copy_nonoverlapping(c.add(row * stride), sums.add(row * PANEL), self.columns);
            }
            sum(configured, self.a, self.b, sums, PANEL, write);
            for row in 0..self.rows {
                std::ptr::copy_nonoverlapping(sums.add(row * PANEL), c.add(row * stride), self.columns);
            }
        }
    }
}

/// Room for the product of two panels.
#[repr(align(64))]
pub(super) struct Sums([[f32; PANEL]; PANEL]);

impl Default for Sums {
    fn default() -> Self {
        Self([[0.0; PANEL]; PANEL])
    }
}

impl Sums {
    /// Sets the first rows, as many as asked for, to the product of two panels, or adds it. `pieces` says how many numbers each is the
    /// sum of, one or two.
    pub(super) fn multiply(
        &mut self,
        configured: &Configured,
        (a, b): (&[Line], &[Line]),
        rows: usize,
        pieces: usize,
        write: Write,
    ) {
        assert!(a.len() == b.len() && rows <= configured.rows);
        let sum = match (pieces, rows <= SIDE) {
            (1, true) => sum_half,
            (1, false) => sum,
            (2, true) => sum_pairs_half,
            (2, false) => sum_pairs,
            _ => unreachable!("numbers are sums of one or two"),
        };
        // SAFETY: there is room for the product.
        unsafe { sum(configured, a, b, self.0.as_mut_ptr().cast(), PANEL, write) };
    }

    pub(super) fn rows(&self) -> &[[f32; PANEL]; PANEL] {
        &self.0
    }
}

/// Defines a function that computes the product of two panels, its sums in registers: what it does to load them, to set them to zero,
/// at each step of the depth, and to store them. `$tiles` are those of a step on either side.
macro_rules! sum {
    ($(#[$about:meta])* $name:ident, $tiles:literal, [$($load:literal)*], [$($zero:literal)*], [$($step:literal)*], [$($store:literal)*]) => {
        $(#[$about])*
        ///
        /// # Safety
        ///
        /// C must have 32 columns and 32 rows, or of a half 16, fewer if the registers are configured for fewer, which nobody else reads
        /// or writes.
        unsafe fn $name(_: &Configured, a: &[Line], b: &[Line], c: *mut f32, stride: usize, write: Write) {
            // SAFETY: the registers are configured; A and B are read from end to end, a step of some tiles each at a time, and C is as
            // the caller promises.
            unsafe {
                asm!(
                    "test {add}, {add}",
                    "jz 2f",
                    $($load,)*
                    "jmp 3f",
                    "2:",
                    $($zero,)*
                    "3:",
                    "test {steps}, {steps}",
                    "jz 5f",
                    "4:",
                    $($step,)*
                    "add {a}, {tiles} * {TILE}",
                    "add {b}, {tiles} * {TILE}",
                    "dec {steps}",
                    "jnz 4b",
                    "5:",
                    $($store,)*
                    // Not every function needs all registers.
                    "/* {below} {TILE} {ROW} */",
                    TILE = const TILE,
                    ROW = const ROW,
                    tiles = const $tiles,
                    add = in(reg) usize::from(write == Write::Add),
                    steps = inout(reg) a.len() / ($tiles * SIDE) => _,
                    a = inout(reg) a.as_ptr() => _,
                    b = inout(reg) b.as_ptr() => _,
                    row = in(reg) ROW,
                    c = in(reg) c,
                    below = in(reg) c.wrapping_add(SIDE * stride),
                    stride = in(reg) stride * size_of::<f32>(),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

/// As [`sum!`], of both tiles of rows: C's are registers 0 to 3, A's 4 and 5.
macro_rules! sum_both {
    ($(#[$about:meta])* $name:ident, $tiles:literal, [$($step:literal)*]) => {
        sum!(
            $(#[$about])* $name, $tiles,
            [
                "tileloadd tmm0, [{c} + {stride}]"
                "tileloadd tmm1, [{c} + {stride} + {ROW}]"
                "tileloadd tmm2, [{below} + {stride}]"
                "tileloadd tmm3, [{below} + {stride} + {ROW}]"
            ],
            ["tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3"],
            [$($step)*],
            [
                "tilestored [{c} + {stride}], tmm0"
                "tilestored [{c} + {stride} + {ROW}], tmm1"
                "tilestored [{below} + {stride}], tmm2"
                "tilestored [{below} + {stride} + {ROW}], tmm3"
            ]
        );
    };
}

/// As [`sum!`], of the first tile of rows alone: C's are registers 0 and 1.
macro_rules! sum_first {
    ($(#[$about:meta])* $name:ident, $tiles:literal, [$($step:literal)*]) => {
        sum!(
            $(#[$about])* $name, $tiles,
            ["tileloadd tmm0, [{c} + {stride}]" "tileloadd tmm1, [{c} + {stride} + {ROW}]"],
            ["tilezero tmm0" "tilezero tmm1"],
            [$($step)*],
            ["tilestored [{c} + {stride}], tmm0" "tilestored [{c} + {stride} + {ROW}], tmm1"]
        );
    };
}

sum_both!(
    /// The product of whole panels.
    sum, 2,
    [
        "tileloadd tmm4, [{a} + {row}]"
        "tileloadd tmm6, [{b} + {row}]"
        "tileloadd tmm7, [{b} + {row} + {TILE}]"
        "tileloadd tmm5, [{a} + {row} + {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tdpbf16ps tmm2, tmm5, tmm6"
        "tdpbf16ps tmm3, tmm5, tmm7"
    ]
);

sum_first!(
    /// As [`sum`], of the first 16 lines of A alone.
    sum_half, 2,
    [
        "tileloadd tmm4, [{a} + {row}]"
        "tileloadd tmm6, [{b} + {row}]"
        "tileloadd tmm7, [{b} + {row} + {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
    ]
);

sum_both!(
    /// The product of whole panels of numbers that are sums of two; of the four products of these at each step all but the last, in
    /// the order A's second with B's first, both first, A's first with B's second.
    sum_pairs, 4,
    [
        "tileloadd tmm4, [{a} + {row} + 2 * {TILE}]"
        "tileloadd tmm6, [{b} + {row}]"
        "tileloadd tmm7, [{b} + {row} + {TILE}]"
        "tileloadd tmm5, [{a} + {row} + 3 * {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tdpbf16ps tmm2, tmm5, tmm6"
        "tdpbf16ps tmm3, tmm5, tmm7"
        "tileloadd tmm4, [{a} + {row}]"
        "tileloadd tmm5, [{a} + {row} + {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tdpbf16ps tmm2, tmm5, tmm6"
        "tdpbf16ps tmm3, tmm5, tmm7"
        "tileloadd tmm6, [{b} + {row} + 2 * {TILE}]"
        "tileloadd tmm7, [{b} + {row} + 3 * {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tdpbf16ps tmm2, tmm5, tmm6"
        "tdpbf16ps tmm3, tmm5, tmm7"
    ]
);

sum_first!(
    /// As [`sum_pairs`], of the first 16 lines of A alone.
    sum_pairs_half, 4,
    [
        "tileloadd tmm4, [{a} + {row} + 2 * {TILE}]"
        "tileloadd tmm6, [{b} + {row}]"
        "tileloadd tmm7, [{b} + {row} + {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tileloadd tmm4, [{a} + {row}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
        "tileloadd tmm6, [{b} + {row} + 2 * {TILE}]"
        "tileloadd tmm7, [{b} + {row} + 3 * {TILE}]"
        "tdpbf16ps tmm0, tmm4, tmm6"
        "tdpbf16ps tmm1, tmm4, tmm7"
    ]
);
