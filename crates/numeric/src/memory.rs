//! How the allocator treats the large buffers of a training step.

/// Asks the allocator to keep large buffers that are freed, for the next step to take.
///
/// By default the GNU allocator gives each back to the system at once and has every page of the next one faulted in and
/// cleared: a tenth of a training step or more. Call it once, before training. Elsewhere than on Linux with the GNU C
/// library it does nothing.
pub fn keep_freed_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes plain numbers and may be called at any time; where it refuses one, all stays as it is.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX) == 0 {
            // The most that older versions accept.
            libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
