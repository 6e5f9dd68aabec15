import { describe, expect, it, test } from "vitest";
describe("sum", () => {
  it("adds", () => { expect(1 + 1).toBe(2); });
  it("is wrong", () => {
    expect(1 + 1).toBe(3);
  });
  it.skip("waits", () => {});
});
test("planted", () => { expect("a").toBe("b"); });
test.todo("later");
