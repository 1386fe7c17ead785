/**
 * Writes the tables of docs/*.md that stand in SQL or in the edge functions already (errors, transitions, settings,
 * statuses, commands) between their markers.
 * `--check` changes nothing and fails on drift.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problems } from '../functions/_shared/problems.ts';
import { statusRules } from '../functions/_shared/statuses.ts';
import { npmScripts } from './command/invocation.ts';
import { entries } from './imago/commands.ts';
import { actionOf, actions, commandNames } from './migrate/actions.ts';
import { flagText } from './migrate/flags.ts';
import { helpOf } from './migrate/help.ts';

const root = join(import.meta.dirname, '..');

/** The rows that a file of sql/engine/tables inserts. They hold nothing but string literals. */
function insertedRows(table: string): string[][] {
  const text = readFileSync(join(root, `sql/engine/tables/${table}.sql`), 'utf8');
  const values = text.slice(text.search(/^insert into /m));
  const rows = [...values.matchAll(/^ {2}\(('(?:[^']|'')*'(?:, '(?:[^']|'')*')*)\)[,;]$/gm)];
  return rows.map(([, row = '']) =>
    [...row.matchAll(/'((?:[^']|'')*)'/g)].map(([, value = '']) => value.replaceAll("''", "'")),
  );
}

/** A message as a reader meets it: what is filled in is left open, %2$L stands for a quoted name. */
function filledIn(format: string): string {
  return format.replaceAll(/%\d\$L/g, "'…'").replaceAll(/%\d\$s/g, '…');
}

function errors(): string {
  const entries = insertedRows('error').map(([code = '', message = '', hint = '', cause = '']) =>
    [`### ${code}`, `\`${filledIn(message)}\``, `- Cause: ${cause}\n- Remedy: ${filledIn(hint)}`].join(
      '\n\n',
    ),
  );
  return entries.join('\n\n');
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function transitions(): string {
  const rows = insertedRows('transition').map(([event, from, to, sentence = '']) => [
    `${from}`,
    `${event}`,
    `${to}`,
    sentence,
  ]);
  return table(['from', 'event', 'to', 'when'], rows);
}

function settings(): string {
  const rows = insertedRows('setting').map(([name, value = '', note = '']) => [`\`${name}\``, value, note]);
  return table(['setting', 'default', 'what it is'], rows);
}

/** Codes link to their entry in the list where they have one. */
function statuses(): string {
  const written = (code: string) =>
    code.startsWith('IM') ? `[${code}](#${code.toLowerCase()})` : `\`${code}\``;
  const rows = statusRules.map(({ status, codes, meaning, code }) => [
    `${status}`,
    codes.map(written).join(', '),
    code ? `${meaning}: answered as \`${code}\`` : meaning,
  ]);
  return table(['status', 'SQLSTATE, class or code of PostgREST', 'what they have in common'], rows);
}

function refusals(): string {
  const rows = Object.entries(problems).map(([code, { status, message, hint }]) => [
    `\`${code}\``,
    `${status}`,
    message,
    hint,
  ]);
  return table(['code', 'status', 'message', 'hint'], rows);
}

/** The commands on a plan, and the flag of `npm run migrate` that is the same. */
function commands(): string {
  const rows = commandNames.map((name) => {
    const { flag } = actions[actionOf(name)];
    const same = name === 'migrate' ? '`npm run migrate`' : flag ? `\`${flagText(flag)}\`` : '';
    return [`\`${name}\``, same, helpOf[name].says];
  });
  return table(['command', 'flag of `npm run migrate`', 'what it does'], rows);
}

function others(): string {
  const rows = entries
    .filter(({ name }) => !(commandNames as readonly string[]).includes(name))
    .map(({ name, says }) => [`\`${name}\``, npmScripts.has(name) ? `\`npm run ${name}\`` : '', says]);
  return table(['command', 'script', 'what it does'], rows);
}

const blocks: [file: string, marker: string, body: () => string][] = [
  ['docs/errors.md', 'refusals', refusals],
  ['docs/errors.md', 'statuses', statuses],
  ['docs/errors.md', 'errors', errors],
  ['docs/architecture.md', 'transitions', transitions],
  ['docs/sql.md', 'settings', settings],
  ['docs/commands.md', 'commands', commands],
  ['docs/commands.md', 'others', others],
];

const check = process.argv.includes('--check');
for (const [file, marker, body] of blocks) {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- begin ${marker}: built by npm run build:docs -->`, `<!-- end ${marker} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} lacks the lines ${begin} and ${end}.`);
  const wanted = `${text.slice(0, from + begin.length)}\n\n${body()}\n\n${text.slice(to)}`;
  if (wanted === text) continue;
  console.error(`${check ? 'Differs from its source' : 'Built'}: ${file} (${marker})`);
  if (!check) writeFileSync(path, wanted);
  else process.exitCode = 1;
}
if (process.exitCode) console.error('Run `npm run build:docs` and commit the result.');
