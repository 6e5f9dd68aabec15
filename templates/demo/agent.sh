#!/bin/sh
# A stand-in for a coding agent: no model, a script. Its first try is wrong, and it claims success all the same.
# The task comes on standard input and in $ORCH_PROMPT_FILE; $ORCH_ITERATION counts its tries.
set -eu

if [ "$ORCH_ITERATION" = 1 ]; then
    echo "I write the missing test and let an empty list have the mean 0."
    sed -i.orig -e 's|^    Some(sum / values.len() as f64)$|    Some(sum / values.len().max(1) as f64)|' \
        -e 's|^    fn the_mean_of_two() {$|    fn nothing_has_no_mean() {\n        assert_eq!(mean(\&[]), None);\n    }\n\n    #[test]\n    fn the_mean_of_two() {|' \
        src/stats.rs
    rm -f src/stats.rs.orig
else
    echo "The test says that an empty list has no mean at all. I return None."
    sed -i.orig -e 's|^    Some(sum / values.len().max(1) as f64)$|    (!values.is_empty()).then(\|\| sum / values.len() as f64)|' \
        src/stats.rs
    rm -f src/stats.rs.orig
fi
echo "<promise>BUGFIX_COMPLETE</promise>"
