import { test } from "vitest";
import { nothing } from "./missing.js";
test("never", () => { nothing(); });
