export interface Shape { name: string; size: number }
export const söme = "äö😀"; export const n: number = "text";
export function area(s: Shape): number {
    return s.width;
}
export const shape: Shape = { name: "x" };
export const tail: readonly string[] = ["a long enough tail", "so that contexts are equal"];
