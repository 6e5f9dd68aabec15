pub fn f() -> u32 { "text" }
