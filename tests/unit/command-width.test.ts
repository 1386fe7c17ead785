/** What commands print at the end, on terminals of all widths. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkResult } from '../../functions/_shared/validation.ts';
import { labelled } from '../../scripts/command/labelled.ts';
import { colours } from '../../scripts/command/terminal.ts';
import { wrapParts, wrapWords } from '../../scripts/command/wrap.ts';
import { table } from '../../scripts/validate/table.ts';

function onColumns(columns: number): void {
  const before = Object.getOwnPropertyDescriptor(process.stdout, 'columns');
  Object.defineProperty(process.stdout, 'columns', { value: columns, configurable: true });
  onTestFinished(() => {
    if (before) Object.defineProperty(process.stdout, 'columns', before);
    else Reflect.deleteProperty(process.stdout, 'columns');
  });
}

/** Without the box, and without the breaks that it made. */
const bare = (...lines: string[]) => lines.join('').replaceAll(/[│┌┐└┘├┤┬┴┼─\s]+/g, '');

const long = 'a_check_with_a_name_that_is_longer_than_any_column_of_a_table_could_be';

describe.each([140, 80, 60, 40, 30])('on %i columns', (columns) => {
  test('a result says all that it holds, in lines that fit', () => {
    onColumns(columns);
    const value = `12 failed · 3 conflicts · waiting: somebody holds ${long}`;
    const lines = labelled([{ name: 'Left', value }], String);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(bare(...lines)).toBe(bare(`Left${value}`));
  });

  test('findings say all that they hold, in lines that fit', () => {
    onColumns(columns);
    const check = checkResult.parse({
      name: long,
      severity: 'error',
      found: 1_234_567,
      remedy: 'Fix it, or not.',
    });
    const lines = table('check', [check], colours(process.stdout));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    for (const text of ['1,234,567', 'error', 'Fixit,ornot.']) expect(bare(...lines)).toContain(text);
    // In a box each cell goes down its column.
    const names = lines.some((line) => line.includes('│'))
      ? lines.map((line) => line.split('│')[2] ?? '')
      : lines;
    expect(bare(...names)).toContain(long);
    expect(lines.join('')).not.toContain('…');
  });
});

test('lines are broken between parts, then between words, then anywhere; wide characters count twice', () => {
  expect(
    wrapParts(
      ['one', 'two', 'three'].map((text) => ({ text })),
      9,
    ),
  ).toEqual(['one · two', 'three']);
  expect(wrapParts([{ text: 'one two three four' }, { text: 'five' }], 9)).toEqual([
    'one two',
    'three',
    'four',
    'five',
  ]);
  expect(wrapWords('  abcdef gh', 5)).toEqual(['  abc', '  def', '  gh']);
  expect(wrapWords('用户用户', 5)).toEqual(['用户', '用户']);
  expect(wrapParts([{ text: 'a\u001b[2Jb', paint: (text) => `<${text}>` }], 20)).toEqual(['<a\ufffd[2Jb>']);
});
