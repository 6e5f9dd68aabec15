#[test]
fn fine() {}

#[test]
fn stops() {
    std::process::abort()
}
