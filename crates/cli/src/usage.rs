//! What this process has used so far, as far as the system tells.

use std::time::Duration;

/// The time that all threads have spent on a processor.
pub fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let usage = usage()?;
        let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, 1000 * time.tv_usec as u32);
        return Some(time(usage.ru_utime) + time(usage.ru_stime));
    }
    #[cfg(not(unix))]
    None
}

/// The most memory it has held at a time, in bytes.
pub fn peak_memory() -> Option<u64> {
    #[cfg(unix)]
    {
        // Linux counts in kilobytes, Apple in bytes.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        return Some(usage()?.ru_maxrss as u64 * unit);
    }
    #[cfg(not(unix))]
    None
}

#[cfg(unix)]
fn usage() -> Option<libc::rusage> {
    let mut usage = std::mem::MaybeUninit::uninit();
    // SAFETY: the call writes a whole `rusage` to the place it is given, or fails.
    unsafe { (libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) == 0).then(|| usage.assume_init()) }
}
