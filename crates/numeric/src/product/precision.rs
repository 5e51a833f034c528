//! In which numbers products multiply.

use std::cell::Cell;

use rnnsearch_config::Precision;

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::Float32) };
}

/// Whether this processor has the instructions, and the system lets this process use them.
pub fn is_available(precision: Precision) -> bool {
    match precision {
        Precision::Auto | Precision::Float32 => true,
        #[cfg(target_arch = "x86_64")]
        Precision::Float16 => {
            crate::Instructions::available() == crate::Instructions::Avx512
                && std::arch::is_x86_feature_detected!("avx512fp16")
        }
        #[cfg(target_arch = "x86_64")]
        Precision::Bfloat16 => super::bfloat::tile::is_available(),
        #[cfg(not(target_arch = "x86_64"))]
        Precision::Float16 | Precision::Bfloat16 => false,
    }
}

/// What a precision comes to on this processor: itself, or the one that [`Precision::Auto`] chooses.
pub fn resolved(precision: Precision) -> Precision {
    match precision {
        Precision::Auto if is_available(Precision::Bfloat16) => Precision::Bfloat16,
        Precision::Auto => Precision::Float32,
        given => given,
    }
}

/// Runs something, and its products in this precision: those that this thread asks for, whatever threads share them.
///
/// # Panics
///
/// If the processor lacks the instructions, see [`is_available`].
pub fn with_precision<T>(precision: Precision, run: impl FnOnce() -> T) -> T {
    /// Sets again what was, also after a panic.
    struct Restore(Precision);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    assert!(is_available(precision), "the processor has no instructions for {precision:?}");
    let _restore = Restore(CURRENT.replace(resolved(precision)));
    run()
}

/// That of the products that this thread asks for; never [`Precision::Auto`].
pub(crate) fn current() -> Precision {
    CURRENT.get()
}
