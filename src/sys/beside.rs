//! Two things at the same time, one of which stays in this thread.

/// What `work` comes to in a thread of its own, and what `meanwhile` comes to here. Where no thread can be had, one comes after
/// the other.
pub fn beside<A: Send, B>(work: impl Fn() -> A + Sync, meanwhile: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let begun = std::thread::Builder::new().spawn_scoped(scope, &work);
        let made = meanwhile();
        let worked = match begun {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => work(),
        };
        (worked, made)
    })
}
