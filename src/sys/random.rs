//! Randomness from the kernel.

/// Forty random bits.
///
/// # Panics
/// If the kernel has no randomness to give, which Linux and macOS exclude after boot.
pub fn bits40() -> u64 {
    let mut bytes = [0_u8; 8];
    let mut filled = 0;
    while filled < 5 {
        filled += rustix::rand::getrandom(&mut bytes[filled..5], rustix::rand::GetRandomFlags::empty())
            .expect("the kernel gives randomness after boot");
    }
    u64::from_le_bytes(bytes)
}

/// `N` random bytes, for keys.
///
/// # Panics
/// As `bits40`.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .expect("the kernel gives randomness after boot");
    }
    bytes
}
