//! How the two programs are linked.

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by variables what to build")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let var = |key: &str| std::env::var(key).unwrap_or_default();
    let is_gnu = var("CARGO_CFG_TARGET_OS") == "linux" && var("CARGO_CFG_TARGET_ENV") == "gnu";
    if is_gnu && var("HOST") == var("TARGET") && c_library_reads_them() {
        // A command lives for milliseconds, and a fifth of that went into 25 000 relocations of 24 bytes each, read
        // page by page. Packed they take 9 KB.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether the C library of this machine is glibc 2.36 or newer: an older one refuses to load such a program.
#[expect(clippy::disallowed_methods, reason = "a build script has no other way to ask")]
fn c_library_reads_them() -> bool {
    let asked = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut numbers = text.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 36),
        (_, _) => false,
    }
}
