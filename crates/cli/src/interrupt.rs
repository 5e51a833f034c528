//! Ctrl-C, and what else asks a program to stop.

use std::io;

/// Calls `handler`, on a thread of its own, whenever the program is asked to stop by Ctrl-C, SIGTERM or SIGHUP.
///
/// A signal that is ignored stays ignored: `nohup` and shells that start jobs in the background rely on it.
pub fn on_interrupt(handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    let ignored = ignored_signals();
    ctrlc::set_handler(handler).map_err(io::Error::other)?;
    ignore(&ignored);
    Ok(())
}

#[cfg(unix)]
fn ignored_signals() -> Vec<libc::c_int> {
    let is_ignored = |signal: &libc::c_int| {
        // SAFETY: `sigaction` is plain data, for which zeros are a value, and the call only writes what it found into it.
        unsafe {
            let mut found: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &mut found) == 0 && found.sa_sigaction == libc::SIG_IGN
        }
    };
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().filter(is_ignored).collect()
}

#[cfg(unix)]
fn ignore(signals: &[libc::c_int]) {
    for &signal in signals {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
fn ignored_signals() {}

#[cfg(not(unix))]
fn ignore((): &()) {}
