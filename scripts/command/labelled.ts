/** The lines of a result on stdout: rows with a name each, in a box where there is room for one. */
import Table from 'cli-table3';
import stringWidth from 'string-width';
import { printable } from './printable.ts';
import { wrapWords } from './wrap.ts';

export interface Row {
  name: string;
  value: string;
  paint?: ((text: string) => string) | undefined;
}

/** Width where nobody knows how wide the reader's window is. */
export const usualWidth = 110;

/** A box of two columns in a narrower window holds words, not lines. */
const narrow = 60;

export function labelled(given: readonly Row[], bold: (text: string) => string): string[] {
  const rows = given.map((row) => ({ ...row, name: printable(row.name) }));
  const columns = process.stdout.columns || usualWidth;
  const painted = ({ value, paint = (text) => text }: Row, width: number): string[] =>
    wrapWords(value, width).map((line) => line && paint(line));
  if (columns < narrow) {
    return rows.flatMap((row) => [bold(row.name), ...painted(row, columns - 3).map((line) => `  ${line}`)]);
  }
  const width = Math.min(columns, 130);
  const first = 2 + Math.max(...rows.map(({ name }) => stringWidth(name)));
  const table = new Table({
    colWidths: [first, width - first - 3],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  // Wrapped here: the table itself cuts off what is longer than a line.
  table.push(...rows.map((row) => [bold(row.name), painted(row, width - first - 5).join('\n')]));
  return table.toString().split('\n');
}
