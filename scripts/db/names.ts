/** Names of database objects: written into SQL, and read from the command line. */

/** An identifier, always in double quotes, so that reserved and mixed-case names work. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A name of several parts. */
export function qualified(...parts: string[]): string {
  return parts.map(quote).join('.');
}

/** A text literal. */
export function literal(text: string): string {
  return text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;
}

/** A name as people read it: quotes only where SQL needs them. */
export function readable(...parts: string[]): string {
  return parts.map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : quote(part))).join('.');
}

/** The parts of a dotted name; double quotes keep dots, and nothing is folded to lower case. Undefined when malformed. */
export function nameParts(text: string): string[] | undefined {
  const part = /(?:"((?:[^"]|"")+)"|([^".=]+))(\.|$)/y;
  const parts: string[] = [];
  while (part.lastIndex < text.length || parts.length === 0) {
    const found = part.exec(text);
    if (!found) return undefined;
    parts.push(found[1]?.replaceAll('""', '"') ?? (found[2] as string));
    if (found[3] === '') return parts;
  }
  return undefined;
}
