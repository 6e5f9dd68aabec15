/** A name as it stands in an address. */
export function slug(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** The first words of a text, as many as fit. */
export function summary(text: string, room: number): string {
  if (text.length == room) {
    return text;
  }
  const cut = text.slice(0, room).lastIndexOf(" ");
  return text.slice(0, cut) + "…";
}
