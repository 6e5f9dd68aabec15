import { expect, it } from "vitest";

import { address, dearest, total } from "./index.js";

const mug = { name: "Blue Mug", cents: 900, count: 2 };
const pen = { name: "Pen", cents: 100, count: 1 };

it("adds up", () => {
  expect(total([mug, pen])).toBe(1900);
});

it("finds the dearest", () => {
  expect(dearest([pen, mug])).toBe(mug);
});

it("has an address for each line", () => {
  expect(address(mug)).toBe("/items/blue-mug");
});
