/** `npm run bench -- governor`: what the governor costs a run while nothing is wrong. */
import Table from 'cli-table3';
import { whole } from '../scripts/command/figures.ts';
import { describeMachine } from './machine.ts';
import { type Measurement, measure } from './measure.ts';
import { parseSizes } from './options.ts';
import { createTemplate, startServer } from './server.ts';

/** Measures b with all signals and without any, in turn on one server, and prints both and their ratio. */
export async function governor(argv: readonly string[]): Promise<number> {
  const { users, rounds, json } = parseSizes('governor', 'Measures what the governor costs a run.', argv, {
    users: 20_000,
    rounds: 3,
  });
  const server = await startServer();
  try {
    const machine = await describeMachine(server.admin);
    console.error(`${whole(users)} users: loading`);
    const template = await createTemplate(server, users);
    const lines: { on: Measurement; off: Measurement }[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      console.error(`Round ${round} of ${rounds}`);
      // Who begins changes: whatever that is good for is good for both.
      const first = round % 2;
      const [one, other] = await measure(
        server,
        () => template,
        ['b', 'b'],
        false,
        async (sql, line) => {
          if (line !== first) return;
          await sql`update imago.signal set slow = null, hold = null, tell = null`;
          await sql`update imago.setting set value = '2000000000' where name = 'look_ms'`;
        },
      );
      if (!one || !other) throw new Error('a line is missing');
      lines.push(first === 0 ? { on: other, off: one } : { on: one, off: other });
    }
    const rows = lines.map(({ on, off }) => ({
      on: cpuMs(on),
      off: cpuMs(off),
      ratio: cpuMs(on) / cpuMs(off),
      time: on.seconds / off.seconds,
    }));
    if (json) process.stdout.write(`${JSON.stringify({ machine, users, rounds: rows })}\n`);
    else process.stdout.write(`${toText(rows)}\n`);
    return lines.every(({ on, off }) => [on, off].every(({ wrong }) => Object.keys(wrong).length === 0))
      ? 0
      : 1;
  } finally {
    await server.remove();
  }
}

interface Row {
  on: number;
  off: number;
  ratio: number;
  time: number;
}

/** Processor time of the server for a user, in milliseconds; where it is not known, the time that passed. */
function cpuMs({ serverCpuSeconds, seconds, moved }: Measurement): number {
  return (1000 * (serverCpuSeconds ?? seconds)) / moved;
}

function toText(rows: readonly Row[]): string {
  const table = new Table({
    head: ['round', 'with, ms of processor a user', 'without', 'ratio', 'ratio of the time'],
    style: { head: [], border: [] },
  });
  const line = (name: string, { on, off, ratio, time }: Row) =>
    table.push([name, on.toFixed(4), off.toFixed(4), ratio.toFixed(4), time.toFixed(4)]);
  for (const [index, row] of rows.entries()) line(String(index + 1), row);
  const middle = (value: (row: Row) => number) =>
    rows.map(value).toSorted((one, other) => one - other)[Math.floor(rows.length / 2)] ?? Number.NaN;
  line('middle', {
    on: middle(({ on }) => on),
    off: middle(({ off }) => off),
    ratio: middle(({ ratio }) => ratio),
    time: middle(({ time }) => time),
  });
  return String(table);
}
