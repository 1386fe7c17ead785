/** Tables of the pages that stand in SQL or in the edge functions already: errors, transitions, settings, statuses. */
import { problems } from '../../functions/_shared/problems.ts';
import { statusRules } from '../../functions/_shared/statuses.ts';
import { table } from './markdown.ts';
import { insertedRows } from './tables.ts';

/** A message as a reader meets it: what is filled in is left open, %2$L stands for a quoted name. */
function filledIn(format: string): string {
  return format.replaceAll(/%\d\$L/g, "'…'").replaceAll(/%\d\$s/g, '…');
}

export function errors(): string {
  const entries = insertedRows('error').map(([code = '', message = '', hint = '', cause = '']) =>
    [`### ${code}`, `\`${filledIn(message)}\``, `- Cause: ${cause}\n- Remedy: ${filledIn(hint)}`].join(
      '\n\n',
    ),
  );
  return entries.join('\n\n');
}

export function transitions(): string {
  const rows = insertedRows('transition').map(([event, from, to, sentence = '']) => [
    `${from}`,
    `${event}`,
    `${to}`,
    sentence,
  ]);
  return table(['from', 'event', 'to', 'when'], rows);
}

export function settings(): string {
  const rows = insertedRows('setting').map(([name, value = '', note = '']) => [`\`${name}\``, value, note]);
  return table(['setting', 'default', 'what it is'], rows);
}

/** What the governor looks at, and from when on: by the order in which it is read. */
export function signals(): string {
  const rows = insertedRows('signal').map((row) => {
    const [name, , slow, hold, tell, unit, ofCapacity, low, , , , besideApp, failsClosed, , note] = row;
    const from = (value: string | undefined) => {
      if (value === undefined || value === 'null') return '';
      return `${low === 'true' ? 'below ' : ''}${amount(Number(value), ofCapacity === 'true' ? '%' : unit)}`;
    };
    const told = from(tell) && `Told from ${from(tell)}.`;
    const marks = [besideApp === 'true' && 'beside the app', failsClosed === 'true' && 'fails closed'];
    return [
      `\`${name}\``,
      from(slow),
      from(hold),
      [note, told].filter(Boolean).join(' '),
      marks.filter(Boolean).join(', '),
    ];
  });
  return table(['signal', 'slow', 'hold', 'what it is', 'kind'], rows);
}

function amount(value: number, unit: string | undefined): string {
  if (unit === 'bytes') return `${value / 1_048_576} MB`;
  const units: Record<string, string> = { '%': ' %', seconds: ' s', milliseconds: ' ms' };
  return `${value}${units[unit ?? ''] ?? ''}`;
}

/** Codes link to their entry in the list where they have one. */
export function statuses(): string {
  const written = (code: string) =>
    code.startsWith('IM') ? `[${code}](#${code.toLowerCase()})` : `\`${code}\``;
  const rows = statusRules.map(({ status, codes, meaning, code }) => [
    `${status}`,
    codes.map(written).join(', '),
    code ? `${meaning}: answered as \`${code}\`` : meaning,
  ]);
  return table(['status', 'SQLSTATE, class or code of PostgREST', 'what they have in common'], rows);
}

export function refusals(): string {
  const rows = Object.entries(problems).map(([code, { status, message, hint }]) => [
    `\`${code}\``,
    `${status}`,
    message,
    hint,
  ]);
  return table(['code', 'status', 'message', 'hint'], rows);
}
