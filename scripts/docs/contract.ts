/** What plans are written against: the engine's functions that are theirs to call, and the tables that register them. */
import { mark, registrationTables } from '../plan/promised.ts';
import { read } from './folder.ts';
import { engineFunctions, type SqlFunction } from './functions.ts';
import { block, prose, table } from './markdown.ts';
import { literalAt } from './sql.ts';
import { type Column, readTable } from './tables.ts';

/** Behind the explanation, a statement that calls it. */
const exampleStart = '\n\nExample: ';

/** Those of the engine's functions that are a promise to plans. */
export function contractFunctions(): SqlFunction[] {
  return engineFunctions().filter(({ comment }) => comment.startsWith(mark));
}

/** What the comment of a contract function says, and its example. */
export function explained({ file, comment }: SqlFunction): { text: string; example: string } {
  const [said = '', example] = comment.split(exampleStart);
  if (!example) throw new Error(`${file}: the comment has no paragraph that begins with Example: `);
  return { text: unmarked(said), example };
}

function unmarked(comment: string): string {
  const said = comment.slice(mark.length);
  return said.charAt(0).toUpperCase() + said.slice(1);
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

/** Types of the engine that are a promise to plans: each with its comment and what it is made of. */
export function contractTypes(): { name: string; text: string; definition: string }[] {
  const source = read('sql/engine/types.sql');
  return [...source.matchAll(/^comment on type imago\.(\w+) is (?=')/gm)]
    .map((found) => ({ name: found[1] ?? '', comment: literalAt(source, found.index + found[0].length) }))
    .filter(({ comment }) => comment.startsWith(mark))
    .map(({ name, comment }) => {
      const [definition = ''] =
        new RegExp(`^create type imago\\.${name} as [\\s\\S]*?^\\);$`, 'm').exec(source) ?? [];
      return { name, text: unmarked(comment), definition };
    });
}

/** Each type with its definition. */
export function types(): string {
  return contractTypes()
    .map(({ name, text, definition }) =>
      [`#### imago.${name}`, prose(text), block('sql', definition)].join('\n\n'),
    )
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
  if (column.generated) return column.generated;
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
