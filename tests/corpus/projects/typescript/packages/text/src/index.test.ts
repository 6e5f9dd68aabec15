import { describe, expect, it } from "vitest";

import { slug, summary } from "./index.js";

describe("slug", () => {
  it("keeps letters and digits", () => {
    expect(slug("Blue Mug 2")).toBe("blue-mug-2");
  });

  it("has no dash at its ends", () => {
    expect(slug(" -Mug- ")).toBe("mug");
  });
});

describe("summary", () => {
  it("cuts between words", () => {
    expect(summary("a blue mug", 7)).toBe("a blue…");
  });

  it("leaves short texts alone", () => {
    expect(summary("mug", 7)).toBe("mug");
  });
});
