/** As much of SQL's grammar as the project's own sources need. */

/** The value of the string literal that begins at a quote. */
export function literalAt(text: string, start: number): string {
  const [, value] = /^'((?:[^']|'')*)'/.exec(text.slice(start)) ?? [];
  if (value === undefined) throw new Error(`No string literal at: ${text.slice(start, start + 40)}`);
  return value.replaceAll("''", "'");
}

/** Where the parenthesis that opens here has been closed: behind it. */
export function skipParentheses(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "'") at = text.indexOf("'", at + 1);
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  throw new Error(`A parenthesis is never closed: ${text.slice(open, open + 40)}`);
}

/** A list parted at its commas, those in parentheses, brackets and strings left alone. */
export function listItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === "'") at = text.indexOf("'", at + 1);
    else if ('(['.includes(char)) depth++;
    else if (')]'.includes(char)) depth--;
    else if (char === ',' && depth === 0) {
      items.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...items, text.slice(from)].map((item) => item.trim().replaceAll(/\s+/g, ' '));
}
