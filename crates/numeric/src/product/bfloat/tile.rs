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

/// The tile registers of this thread are 16 rows of 64 bytes each as long as this lives.
pub(super) struct Configured {
    /// Registers are a thread's own: this must not go to another.
    _here: std::marker::PhantomData<*const ()>,
}

impl Configured {
    /// # Panics
    ///
    /// If the process has no AMX, see [`is_available`].
    pub(super) fn new() -> Self {
        assert!(is_available());
        #[repr(align(64))]
        struct Shapes(#[allow(dead_code, reason = "read by the instruction")] [u8; 64]);
        const SHAPES: Shapes = {
            let mut shapes = [0; 64];
            shapes[0] = 1;
            let mut register = 0;
            while register < 8 {
                shapes[16 + 2 * register] = ROW as u8;
                shapes[48 + register] = SIDE as u8;
                register += 1;
            }
            Shapes(shapes)
        };
        // SAFETY: the processor has the instruction; 64 bytes are read.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, readonly, preserves_flags)) };
        Self { _here: std::marker::PhantomData }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: the processor has the instruction, or there would be no value.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

/// A panel of lines and one of pairs, equally long, whose product is a term of a sum.
pub(super) type Term<'t> = (&'t [Line], &'t [Line]);

/// A part of C, and what it is the product of.
pub(super) struct Tile<'t> {
    pub term: Term<'t>,
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
        let terms = Terms::new([self.term]);
        if self.rows == PANEL && self.columns == PANEL {
            // SAFETY: as the caller promises.
            return unsafe { sum(configured, &terms, c, stride, write) };
        }
        let sums = sums.as_mut_ptr().cast::<f32>();
        // What is added to takes the same way into the sums as in a whole tile: the bits are the same.
        // SAFETY: C has these rows and columns, as the caller promises; there is room for two panels' product.
        unsafe {
            for row in (0..self.rows).filter(|_| write == Write::Add) {
                std::ptr::copy_nonoverlapping(c.add(row * stride), sums.add(row * PANEL), self.columns);
            }
            sum(configured, &terms, sums, PANEL, write);
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
    /// Sets the first rows, as many as asked for, to the sum of some products of two panels, or adds it.
    pub(super) fn multiply<const N: usize>(
        &mut self,
        configured: &Configured,
        terms: [Term; N],
        rows: usize,
        write: Write,
    ) {
        let terms = Terms::new(terms);
        let sums = self.0.as_mut_ptr().cast();
        // SAFETY: there is room for the product.
        unsafe {
            if rows <= SIDE {
                sum_half(configured, &terms, sums, PANEL, write);
            } else {
                sum(configured, &terms, sums, PANEL, write);
            }
        }
    }

    pub(super) fn rows(&self) -> &[[f32; PANEL]; PANEL] {
        &self.0
    }
}

/// Where the panels of some products lie, as the instructions read it.
struct Terms<'t, const N: usize> {
    panels: [[*const Line; 2]; N],
    /// The steps of each.
    steps: usize,
    _panels: std::marker::PhantomData<&'t Line>,
}

impl<'t, const N: usize> Terms<'t, N> {
    /// # Panics
    ///
    /// If the panels are not equally long.
    fn new(terms: [Term<'t>; N]) -> Self {
        let lines = terms.first().map_or(0, |(a, _)| a.len());
        assert!(terms.iter().all(|(a, b)| a.len() == lines && b.len() == lines), "panels are equally long");
        let panels = terms.map(|(a, b)| [a.as_ptr(), b.as_ptr()]);
        Self { panels, steps: lines / PANEL, _panels: std::marker::PhantomData }
    }
}

/// The sum of some products of whole panels: two tiles by two, four sums in registers.
///
/// # Safety
///
/// C must have 32 rows and columns, which nobody else reads or writes.
unsafe fn sum<const N: usize>(_: &Configured, terms: &Terms<N>, c: *mut f32, stride: usize, write: Write) {
    // SAFETY: the registers are configured; A and B are read from end to end, a step of two tiles each at a time, and C is as the
    // caller promises.
    unsafe {
        asm!(
            "test {add}, {add}",
            "jz 2f",
            "tileloadd tmm0, [{c} + {stride}]",
            "tileloadd tmm1, [{c} + {stride} + {ROW}]",
            "tileloadd tmm2, [{below} + {stride}]",
            "tileloadd tmm3, [{below} + {stride} + {ROW}]",
            "jmp 3f",
            "2:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "3:",
            "test {all}, {all}",
            "jz 6f",
            "cmp {terms}, {end}",
            "je 6f",
            "4:",
            "mov {a}, [{terms}]",
            "mov {b}, [{terms} + 8]",
            "add {terms}, 16",
            "mov {steps}, {all}",
            "5:",
            "tileloadd tmm4, [{a} + {row}]",
            "tileloadd tmm6, [{b} + {row}]",
            "tileloadd tmm7, [{b} + {row} + {TILE}]",
            "tileloadd tmm5, [{a} + {row} + {TILE}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 2 * {TILE}",
            "add {b}, 2 * {TILE}",
            "dec {steps}",
            "jnz 5b",
            "cmp {terms}, {end}",
            "jne 4b",
            "6:",
            "tilestored [{c} + {stride}], tmm0",
            "tilestored [{c} + {stride} + {ROW}], tmm1",
            "tilestored [{below} + {stride}], tmm2",
            "tilestored [{below} + {stride} + {ROW}], tmm3",
            TILE = const TILE,
            ROW = const ROW,
            add = in(reg) usize::from(write == Write::Add),
            all = in(reg) terms.steps,
            terms = inout(reg) terms.panels.as_ptr() => _,
            end = in(reg) terms.panels.as_ptr_range().end,
            steps = out(reg) _,
            a = out(reg) _,
            b = out(reg) _,
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

/// As [`sum`], of the first 16 lines of A alone.
///
/// # Safety
///
/// C must have 16 rows and 32 columns, which nobody else reads or writes.
unsafe fn sum_half<const N: usize>(_: &Configured, terms: &Terms<N>, c: *mut f32, stride: usize, write: Write) {
    // SAFETY: as in `sum`.
    unsafe {
        asm!(
            "test {add}, {add}",
            "jz 2f",
            "tileloadd tmm0, [{c} + {stride}]",
            "tileloadd tmm1, [{c} + {stride} + {ROW}]",
            "jmp 3f",
            "2:",
            "tilezero tmm0",
            "tilezero tmm1",
            "3:",
            "test {all}, {all}",
            "jz 6f",
            "cmp {terms}, {end}",
            "je 6f",
            "4:",
            "mov {a}, [{terms}]",
            "mov {b}, [{terms} + 8]",
            "add {terms}, 16",
            "mov {steps}, {all}",
            "5:",
            "tileloadd tmm4, [{a} + {row}]",
            "tileloadd tmm6, [{b} + {row}]",
            "tileloadd tmm7, [{b} + {row} + {TILE}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 2 * {TILE}",
            "add {b}, 2 * {TILE}",
            "dec {steps}",
            "jnz 5b",
            "cmp {terms}, {end}",
            "jne 4b",
            "6:",
            "tilestored [{c} + {stride}], tmm0",
            "tilestored [{c} + {stride} + {ROW}], tmm1",
            TILE = const TILE,
            ROW = const ROW,
            add = in(reg) usize::from(write == Write::Add),
            all = in(reg) terms.steps,
            terms = inout(reg) terms.panels.as_ptr() => _,
            end = in(reg) terms.panels.as_ptr_range().end,
            steps = out(reg) _,
            a = out(reg) _,
            b = out(reg) _,
            row = in(reg) ROW,
            c = in(reg) c,
            stride = in(reg) stride * size_of::<f32>(),
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
