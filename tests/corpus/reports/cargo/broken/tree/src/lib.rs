macro_rules! make {
    ($name:ident) => {
        pub fn $name() -> u32 {
            "text"
        }
    };
}
make!(number);

/// Shows.
pub fn shown() {
    println!("{}", undefined);
    std::assert_eq!(1u8, "a");
}
