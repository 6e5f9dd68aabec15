import { slug } from "@shop/text";

export interface Line {
  name: string;
  cents: number;
  count: number;
}

/** What all lines cost together. */
export function total(lines: Line[]): number {
  return lines.reduce((sum, line) => sum + line.cents * line.count, 0);
}

/** The line that costs most. */
export function dearest(lines: Line[]): Line {
  const sorted = [...lines].sort((a, b) => b.cents - a.cents);
  return sorted[0];
}

/** Where a line is shown. */
export function address(line: Line): string {
  return `/items/${slug(line.name)}`;
}
