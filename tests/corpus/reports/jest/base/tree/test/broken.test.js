const { nothing } = require("./missing.js");
test("never", () => { nothing(); });
