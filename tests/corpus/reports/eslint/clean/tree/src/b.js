export function tail(count) {
  return count === 1 ? "a long enough tail" : "so that contexts are equal";
}
