//! How the two programs are linked.

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by variables what to build")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // A command lives for milliseconds, and a fifth of that went into 25 000 relocations of 24 bytes each, read
        // page by page. Packed they take 9 KB. A linker that does not know the option says so and goes on.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
