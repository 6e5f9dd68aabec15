// Moved down,
// and re-indented.

const smile = "😀"; var old =
    1;
export function f(
    a
) {
    if (
        a == null
    ) {
        debugger
    }
    return undefinedName
}
export function tail(count) {
  return count === 1 ? "a long enough tail" : "so that contexts are equal";
}
