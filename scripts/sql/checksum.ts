/** What two texts of SQL have in common when they say the same. */
import { createHash } from 'node:crypto';
import { isCode, splitByTokens, tokenize } from './tokens.ts';

/**
 * A checksum of what the statements say: comments, white space and line endings do not count. Files and what the
 * history table keeps of them, which the CLI has split in its own way, give the same one. It is made of tokens alone, so
 * that it does not depend on what a parser knows.
 */
export function checksum(sql: string): string {
  const text = sql.replaceAll('\r\n', '\n');
  const said = splitByTokens(text).map(({ start, end }) =>
    [...tokenize(text.slice(start, end))]
      .filter(isCode)
      .map((token) => token.text)
      .join(' '),
  );
  return createHash('sha256').update(said.join('\n;\n')).digest('hex').slice(0, 16);
}
