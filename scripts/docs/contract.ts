/** What plans are written against: the engine's functions that are theirs to call, and the tables that register them. */
import { mark, registrationTables } from '../plan/promised.ts';
import { engineFunctions, type SqlFunction } from './functions.ts';
import { block, prose, table } from './markdown.ts';
import { type Column, readTable } from './tables.ts';

/** Behind the explanation, a statement that calls it. */
const exampleStart = '\n\nExample: ';

/** Those of the engine's functions that are a promise to plans. */
export function contractFunctions(): SqlFunction[] {
  return engineFunctions().filter(({ comment }) => comment.startsWith(mark));
}

/** What the comment of a contract function says, and its example. */
export function explained({ file, comment }: SqlFunction): { text: string; example: string } {
  const [said = '', example] = comment.slice(mark.length).split(exampleStart);
  if (!example) throw new Error(`${file}: the comment has no paragraph that begins with Example: `);
  return { text: said.charAt(0).toUpperCase() + said.slice(1), example };
}

/** Each function with its signature, what it is for, and an example. */
export function contract(): string {
  return contractFunctions()
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((routine) => {
      const { text, example } = explained(routine);
      const signature = `imago.${routine.name}(${routine.arguments}) returns ${routine.returns}`;
      return [`#### ${routine.name}`, `\`${signature}\``, prose(text), block('sql', `${example};`)].join(
        '\n\n',
      );
    })
    .join('\n\n');
}

/** Each table, column by column. */
export function registration(): string {
  return registrationTables
    .map((name) => {
      const { comment, columns, constraints } = readTable(name);
      const rows = columns.map((column) => [
        `\`${column.name}\``,
        column.type,
        defaultOf(column),
        allowed(column),
        prose(column.comment),
      ]);
      return [
        `#### imago.${name}`,
        prose(comment),
        table(['column', 'type', 'default', 'allowed', 'meaning'], rows),
        ...(constraints.length === 0
          ? []
          : [`Together: ${constraints.map((line) => `\`${line}\``).join(', ')}.`]),
      ].join('\n\n');
    })
    .join('\n\n');
}

function defaultOf(column: Column): string {
  if (column.identity) return 'numbered';
  if (column.default !== undefined) return `\`${column.default}\``;
  return column.notNull ? 'required' : '`null`';
}

/** The values of an enumeration one by one, and any other rule as it is written. */
function allowed({ name, check, references }: Column): string {
  if (references) return `a row of \`imago.${references}\``;
  if (check === undefined) return '';
  const [, values] = new RegExp(`^${name} in \\((.*)\\)$`).exec(check) ?? [];
  if (values === undefined) return `\`${check}\``;
  return values
    .split(', ')
    .map((value) => `\`${value.slice(1, -1)}\``)
    .join(', ');
}
