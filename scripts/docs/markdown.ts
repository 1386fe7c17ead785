/** Pieces of Markdown that the built pages are made of. */

/** A table; bars within cells stay within them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

/** A comment as prose: what stands in angle brackets is no tag. */
export function prose(comment: string): string {
  return comment.replaceAll('<', '\\<');
}

/** A block of code in one language. */
export function block(language: string, text: string): string {
  return ['```', language, '\n', text.trim(), '\n```'].join('');
}

/** The first sentence of a comment: what the map shows, and psql in a list. */
export function firstSentence(comment: string): string {
  return comment.split(/(?<=[.!?])\s/)[0] ?? comment;
}
