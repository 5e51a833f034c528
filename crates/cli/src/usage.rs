//! What this process has used so far, as far as the system tells.

pub use system::{cpu_time, peak_memory};

#[cfg(unix)]
mod system {
    use std::mem::MaybeUninit;
    use std::time::Duration;

    /// The time that all threads have spent on a processor.
    pub fn cpu_time() -> Option<Duration> {
        let usage = usage()?;
        let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, 1000 * time.tv_usec as u32);
        Some(time(usage.ru_utime) + time(usage.ru_stime))
    }

    /// The most memory it has held at a time, in bytes.
    pub fn peak_memory() -> Option<u64> {
        // Linux counts in kilobytes, Apple in bytes.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        Some(usage()?.ru_maxrss as u64 * unit)
    }

    fn usage() -> Option<libc::rusage> {
        let mut usage = MaybeUninit::uninit();
        // SAFETY: the call writes a whole `rusage` to the place it is given, or fails.
        unsafe { (libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) == 0).then(|| usage.assume_init()) }
    }
}

#[cfg(not(unix))]
mod system {
    use std::time::Duration;

    /// Not known here.
    pub fn cpu_time() -> Option<Duration> {
        None
    }

    /// Not known here.
    pub fn peak_memory() -> Option<u64> {
        None
    }
}
