//! lcov, Cobertura.

use crate::gate::findings::tests::setting::{report, said, shown};

#[test]
fn both_say_how_many_lines_are_covered() {
    assert_eq!(shown(&report("lcov", "lcov/base")), "covered 6 of 7\n");
    assert_eq!(shown(&report("cobertura", "cobertura/base")), "covered 6 of 7\n");
}

#[test]
fn lcov_of_every_version() {
    for (text, expected) in [
        (
            "TN:a\nSF:x\nDA:1,1\nDA:2,0\nend_of_record\nTN:b\nSF:x\nDA:2,3\nend_of_record\n",
            "covered 2 of 2\n",
        ),
        (
            "SF:x\nFNL:0,1,2\nFNA:0,1,f\nDA:1,1e3,sum\nDA:2,-1\nDA:3,=====\nend_of_record\n",
            "covered 1 of 3\n",
        ),
        ("SF:x\nLF:9\nLH:4\nend_of_record\nSF:y\nend_of_record", "covered 4 of 9\n"),
        ("", "error: cannot find a report of the format `lcov`"),
        ("SF:x\nDA:1,1\n", "error: cannot find the end of the report (format `lcov`)"),
        ("SF:x\nSF:y\nend_of_record\n", "error: cannot find the end of the report (format `lcov`)"),
        ("SF:x\nDA:one,1\nend_of_record\n", "error: cannot read the report (format `lcov`)"),
    ] {
        assert_eq!(said("lcov", text, &[]), expected, "{text}");
    }
}

#[test]
fn cobertura_without_totals_is_counted() {
    let text = r#"<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "x.dtd"><coverage line-rate="0.5"><packages><package><classes>
        <class filename="a"><methods><method><lines><line number="1" hits="1"/></lines></method></methods>
        <lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class>
        <class filename="a"><lines><line number="2" hits="1"/></lines></class></classes></package></packages></coverage>"#;
    assert_eq!(said("cobertura", text, &[]), "covered 2 of 2\n");
    assert_eq!(said("cobertura", "<coverage/>", &[]), "covered 0 of 0\n");
    let cut = said("cobertura", &text[..text.len() - 11], &[]);
    assert_eq!(cut, "error: cannot find the end of the report (format `cobertura`)");
}
