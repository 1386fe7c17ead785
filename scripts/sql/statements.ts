/** The statements of a text. PostgreSQL's own parser tells where they end and what they are; our tokens what it refuses. */
import { firstCode, splitByTokens } from './tokens.ts';
import { type Parsed, parse, type Tree } from './tree.ts';

/** One statement as it was written, with the comments before it and without its semicolon. */
export interface Statement {
  text: string;
  /** The line on which its first word stands. */
  line: number;
  /** What it is; empty where the parser refuses it. */
  tree: Tree;
  /** Where the text begins, in bytes and counted as the tree counts. */
  start: number;
}

const NEWLINE = 0x0a;

/** The parser counts bytes, so that everything is cut from those. */
export function splitStatements(sql: string): Statement[] {
  const bytes = Buffer.from(sql.replace(/^\uFEFF/, ''));
  const statements: Statement[] = [];
  let [line, counted] = [1, 0];
  const lineAt = (end: number): number => {
    for (; counted < end; counted += 1) if (bytes[counted] === NEWLINE) line += 1;
    return line;
  };
  for (const { tree, origin, start, end } of parse(bytes) ?? splitRefused(bytes)) {
    const written = bytes.toString('utf8', start, end);
    const code = firstCode(written);
    if (code === undefined) continue;
    const trimmed = written.trimStart();
    const [beforeText, beforeCode] = [written.length - trimmed.length, code].map((length) =>
      Buffer.byteLength(written.slice(0, length)),
    ) as [number, number];
    statements.push({
      text: trimmed.trimEnd(),
      line: lineAt(start + beforeCode),
      tree,
      start: start + beforeText - origin,
    });
  }
  return statements;
}

/** One that is refused must not keep the others from being understood. */
function splitRefused(bytes: Buffer): Parsed[] {
  const sql = bytes.toString();
  let [at, byte] = [0, 0];
  const byteAt = (index: number): number => {
    byte += Buffer.byteLength(sql.slice(at, index));
    at = index;
    return byte;
  };
  return splitByTokens(sql).flatMap((piece): Parsed[] => {
    const [start, end] = [byteAt(piece.start), byteAt(piece.end)];
    const found = parse(bytes.subarray(start, end), start);
    return found ?? [{ tree: {}, origin: start, start, end }];
  });
}

/** The place in the text of a statement that its tree gives as a location. */
export function placeOf({ text, start }: Pick<Statement, 'text' | 'start'>, location: number): number {
  return Buffer.from(text).toString('utf8', 0, location - start).length;
}
