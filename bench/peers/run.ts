/**
 * `npm run bench -- peers`: the same migration, on the same rows, by Imago and by what people use instead: how fast, how much
 * write-ahead log, what the app notices, the way back, what it costs of later edits, and what a kill leaves behind.
 */
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { whole } from '../../scripts/command/figures.ts';
import { findPgbench } from '../foreground/app.ts';
import { describeMachine } from '../machine.ts';
import { machineText } from '../report.ts';
import { createTemplate, startServer, type Template } from '../server.ts';
import {
  type Alone,
  type BesideApp,
  type Killed,
  measureAlone,
  measureBesideApp,
  measureKilled,
} from './measure.ts';
import { leftOut, missing, type Peer, peers, versions } from './peers.ts';

interface Line extends Alone, Killed {
  peer: Peer;
  app: BesideApp | undefined;
}

/** Measures all peers that this machine has, and prints their table. */
export async function comparePeers(argv: readonly string[]): Promise<number> {
  const options = new Command('npm run bench -- peers')
    .description('The same migration by Imago and by what people use instead.')
    .option('--users <n>', 'users, with 5 posts and 2 follows each', wholeNumber, 20_000)
    .option('--app-users <n>', 'the same for the part beside an app', wholeNumber, 100_000)
    .option('--rate <n>', 'transactions of the app a second', wholeNumber, 150)
    .option('--seconds <n>', 'how long the app is measured', wholeNumber, 20)
    .option('--only <names>', 'some of them, like imago,sql', (text: string) => text.split(','))
    .option('--json', 'one JSON object on stdout instead of the table')
    .parse(argv, { from: 'user' })
    .opts<{
      users: number;
      appUsers: number;
      rate: number;
      seconds: number;
      only?: string[];
      json?: boolean;
    }>();
  const pgbench = await findPgbench();
  if (pgbench === undefined)
    console.error('Without an app: pgbench is missing (on Debian: apt-get install postgresql-contrib).');
  const out: [string, string][] = leftOut.map(([name, why]) => [name, why]);
  const server = await startServer();
  try {
    const machine = await describeMachine(server.admin);
    console.error('Loading');
    const made = new Map<number, Template>();
    const templateOf = async (users: number) => {
      const template = made.get(users) ?? (await createTemplate(server, users));
      made.set(users, template);
      return template;
    };
    const template = await templateOf(options.users);
    const killed = await templateOf(Math.ceil(options.users / 5));
    const large = await templateOf(options.appUsers);
    const lines: Line[] = [];
    for (const peer of peers.filter(({ key }) => options.only?.includes(key) ?? true)) {
      const lacks = await missing(peer);
      if (lacks !== undefined) {
        out.push([peer.title, lacks]);
        continue;
      }
      console.error(peer.title);
      lines.push({
        peer,
        // Each of its users has calls of their own: fewer say as much.
        ...(await measureAlone(server, peer, peer.overHttp ? killed : template)),
        ...(await measureKilled(server, peer, killed)),
        app:
          pgbench === undefined
            ? undefined
            : await measureBesideApp(server, peer, large, { ...options, pgbench }),
      });
    }
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ machine, versions: await versions(), ...options, lines: lines.map(({ peer, ...line }) => ({ peer: peer.title, ...line })), leftOut: out })}\n`
        : `${machineText(machine)}\n${await versions()}\n${toText(lines)}\nLeft out:\n${out.map(([name, why]) => `  ${name}: ${why}`).join('\n')}\n`,
    );
    return 0;
  } finally {
    await server.remove();
  }
}

function toText(lines: readonly Line[]): string {
  const table = new Table({
    head: [
      '',
      'users/s',
      'WAL per user',
      'app p99 ms',
      'longest ms',
      'undo s',
      'edits lost',
      'killed (-9) and started again',
    ],
    style: { head: [], border: [] },
  });
  for (const line of lines) {
    const { app } = line;
    table.push([
      line.peer.title,
      whole(Math.round(line.usersPerSecond)),
      `${(line.walPerUser / 1000).toFixed(1)} kB`,
      app ? `${app.p99.toFixed(1)}${app.failed ? ' (an error ended it)' : ''}` : '',
      app?.longest.toFixed(0) ?? '',
      line.undoSeconds.toFixed(1),
      `${line.editsLost} of ${line.edits}`,
      `${whole(line.movedBefore)} moved; ${line.exitCode === 0 ? 'ends' : 'does not end'}, ${whole(line.wrong)} rows wrong`,
    ]);
  }
  return `${table}`;
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,7}$/.test(value)) throw new InvalidArgumentError('It must be a whole number above zero.');
  return Number(value);
}
