/**
 * `npm run bench -- fleet-simulation FILE…`: what a large fleet takes, from what small ones were measured to take. The files are of
 * `npm run bench -- fleet --json`, one for each size of member. Slots take members one after the other, as workers do; the control
 * database takes what it was measured to bear, and no more. The same seed gives the same figures.
 */
import { readFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { duration, whole } from '../scripts/command/figures.ts';
import { reportMs } from '../scripts/fleet/piece.ts';

/** What of such a file counts here. */
export const measuredSchema = z.object({
  /** Rows of the tables of the app in each member. */
  rows: z.number().positive(),
  slots: z.number().positive(),
  lines: z.array(
    z.object({
      way: z.string(),
      workers: z.number(),
      seconds: z.number(),
      killed: z.number(),
      /** Of each member, from being taken to its end. */
      memberSeconds: z.array(z.number().positive()).optional(),
      /** Of the control database, for each member, and of each worker in a second without one. */
      transactions: z.object({ perMember: z.number(), idlePerSecond: z.number() }).optional(),
    }),
  ),
  control: z.array(z.object({ connections: z.number(), transactionsPerSecond: z.number() })).min(1),
});

export type Measured = z.output<typeof measuredSchema>;

export interface Size {
  rows: number;
  /** Of one member: the mean, and how each of those measured compares to it. */
  seconds: number;
  ratios: number[];
}

/** What a fleet is made of, as measured. */
export interface Facts {
  sizes: Size[];
  /** Of a slot between two members. */
  gapSeconds: number;
  perMember: number;
  idlePerSecond: number;
  /** Transactions in a second that the control database was measured to bear. */
  limit: number;
}

export interface Fleet {
  members: number;
  rows: number;
  workers: number;
  slots: number;
  servers: number;
  /** Null: no cap. */
  perServer: number | null;
  /** Of the members so many have to be worked a second time. */
  failedShare: number;
}

export interface Answer {
  /** Infinite: workers without a member leave the control database no time for members. */
  seconds: number;
  membersPerMinute: number;
  retried: number;
  /** Of the control database, on average; and what share that is of what it bears. */
  transactionsPerSecond: number;
  share: number;
}

/** What was measured does not do for what is asked. */
export class NotMeasured extends Error {
  override readonly name = 'NotMeasured';
}

/** The figures of the files. The line of the fewest workers is taken: there members shared their machine with the fewest others. */
export function factsOf(files: readonly Measured[]): Facts {
  const sizes: Size[] = [];
  const gaps: number[] = [];
  const idle: number[] = [];
  let perMember = 0;
  for (const { rows, slots, lines } of files.toSorted((a, b) => a.rows - b.rows)) {
    const [line] = lines
      .filter(({ way, killed, memberSeconds }) => way === 'fleet' && killed === 0 && memberSeconds?.length)
      .sort((a, b) => a.workers - b.workers);
    if (!line?.memberSeconds || !line.transactions)
      throw new NotMeasured(
        'A file has no line of a fleet without kills: measure one with bench -- fleet --json.',
      );
    const seconds = mean(line.memberSeconds);
    sizes.push({ rows, seconds, ratios: line.memberSeconds.map((one) => one / seconds) });
    gaps.push(Math.max(0, (line.seconds * line.workers * slots) / line.memberSeconds.length - seconds));
    // Of the smallest: the longer a member is worked, the more of it is what the worker would have asked anyway.
    perMember ||= line.transactions.perMember;
    idle.push(line.transactions.idlePerSecond);
  }
  return {
    sizes,
    gapSeconds: mean(gaps),
    perMember,
    idlePerSecond: mean(idle),
    limit: Math.max(...files.flatMap(({ control }) => control.map((one) => one.transactionsPerSecond))),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Seconds of a member of so many rows: on the line through the two sizes beside it, or beyond the last two. */
export function secondsFor(sizes: readonly Size[], rows: number): number {
  const [first] = sizes;
  if (!first) throw new NotMeasured('Nothing was measured.');
  if (sizes.length === 1) {
    if (rows === first.rows) return first.seconds;
    throw new NotMeasured(
      `Only members of ${whole(first.rows)} rows were measured: name that with --rows-each, or measure a second size.`,
    );
  }
  if (rows < first.rows)
    throw new NotMeasured(`The smallest members that were measured have ${whole(first.rows)} rows.`);
  const next = sizes.findIndex((size) => size.rows >= rows);
  const at = next === -1 ? sizes.length - 1 : Math.max(1, next);
  const [low, high] = [sizes[at - 1], sizes[at]] as [Size, Size];
  if (high.seconds <= low.seconds)
    throw new NotMeasured(
      `Members of ${whole(high.rows)} rows took no longer than those of ${whole(low.rows)}: measure larger ones, on a machine that does nothing else.`,
    );
  return low.seconds + ((rows - low.rows) * (high.seconds - low.seconds)) / (high.rows - low.rows);
}

/** Goes through it member by member. */
export function simulate(facts: Facts, fleet: Fleet, seed: number): Answer {
  const { members, workers, slots, servers, perServer, failedShare } = fleet;
  const random = generator(seed);
  const usual = secondsFor(facts.sizes, fleet.rows);
  const ratios = nearest(facts.sizes, fleet.rows).ratios;
  const drawn = (): number => usual * (ratios[Math.floor(random() * ratios.length)] ?? 1);
  // What is left for members once workers have looked whether there are any, and said how far theirs are.
  const busy = Math.min(workers * slots, members, perServer === null ? members : servers * perServer);
  const own = workers * facts.idlePerSecond + (usual > reportMs / 1000 ? busy / (reportMs / 1000) : 0);
  const forMembers = facts.limit - own;
  if (forMembers <= 0)
    return {
      seconds: Infinity,
      membersPerMinute: 0,
      retried: 0,
      transactionsPerSecond: own,
      share: own / facts.limit,
    };

  const waiting = Array.from({ length: servers }, (_, server) =>
    Array.from({ length: Math.ceil(Math.max(0, members - server) / servers) }, () => false),
  );
  const room = Array.from({ length: servers }, () => perServer ?? Number.POSITIVE_INFINITY);
  const running = new Heap();
  let free = workers * slots;
  let now = 0;
  let control = 0;
  let turn = 0;
  let worked = 0;
  let retried = 0;
  for (;;) {
    for (let looked = 0; free > 0 && looked < servers; ) {
      const server = turn;
      turn = (turn + 1) % servers;
      const isRetry = (room[server] ?? 0) > 0 ? waiting[server]?.shift() : undefined;
      if (isRetry === undefined) {
        looked += 1;
        continue;
      }
      looked = 0;
      free -= 1;
      room[server] = (room[server] ?? 0) - 1;
      // The control database takes one after the other.
      control = Math.max(now, control) + facts.perMember / forMembers;
      const seconds = drawn();
      const fails = !isRetry && random() < failedShare;
      running.add({ at: control + seconds + facts.gapSeconds, server, fails });
      worked += 1;
    }
    const next = running.take();
    if (!next) break;
    now = next.at;
    free += 1;
    room[next.server] = (room[next.server] ?? 0) + 1;
    if (next.fails) {
      waiting[next.server]?.push(true);
      retried += 1;
    }
  }
  const transactionsPerSecond = (worked * facts.perMember) / now + own;
  return {
    seconds: now,
    membersPerMinute: (members * 60) / now,
    retried,
    transactionsPerSecond,
    share: transactionsPerSecond / facts.limit,
  };
}

const nearest = (sizes: readonly Size[], rows: number): Size =>
  sizes.reduce((best, size) => (Math.abs(size.rows - rows) < Math.abs(best.rows - rows) ? size : best));

interface Piece {
  at: number;
  server: number;
  fails: boolean;
}

/** Whatever ends first comes first. */
class Heap {
  readonly #pieces: Piece[] = [];

  add(piece: Piece): void {
    const pieces = this.#pieces;
    let at = pieces.push(piece) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((pieces[above] as Piece).at <= piece.at) break;
      pieces[at] = pieces[above] as Piece;
      at = above;
    }
    pieces[at] = piece;
  }

  take(): Piece | undefined {
    const pieces = this.#pieces;
    const [first] = pieces;
    const last = pieces.pop();
    if (!first || !last || pieces.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= pieces.length) break;
      if (below + 1 < pieces.length && (pieces[below + 1] as Piece).at < (pieces[below] as Piece).at)
        below += 1;
      if ((pieces[below] as Piece).at >= last.at) break;
      pieces[at] = pieces[below] as Piece;
      at = below;
    }
    pieces[at] = last;
    return first;
  }
}

/** Mulberry32: the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Options {
  members: number[];
  workers: number[];
  slots: number;
  rowsEach: number;
  servers: number;
  perServer: number;
  failures: number;
  seed: number;
  json: boolean;
}

interface Line {
  members: number;
  rows: number;
  workers: number;
  connections: number;
  free: Answer;
  capped: Answer;
}

/** Sessions that a worker keeps at the control database: one for the queue, one for all else. */
const sessions = 2;

export async function fleetSimulation(argv: readonly string[]): Promise<number> {
  const { options, files } = parse(argv);
  try {
    show(factsOf(files.map(readMeasured)), options);
    return 0;
  } catch (error) {
    if (!(error instanceof NotMeasured)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return 2;
  }
}

function readMeasured(file: string): Measured {
  try {
    return measuredSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw new NotMeasured(`${file} is not what npm run -s bench -- fleet --json has printed.`);
  }
}

function show(facts: Facts, options: Options): void {
  const lines: Line[] = options.members.flatMap((members) =>
    options.workers.map((workers): Line => {
      const { slots, servers, rowsEach: rows } = options;
      const fleet = { members, rows, workers, slots, servers, failedShare: options.failures / 100 };
      return {
        members,
        rows: members * rows,
        workers,
        connections: workers * sessions,
        free: simulate(facts, { ...fleet, perServer: null }, options.seed),
        capped: simulate(facts, { ...fleet, perServer: options.perServer }, options.seed),
      };
    }),
  );
  process.stdout.write(
    options.json ? `${JSON.stringify({ ...options, facts, lines })}\n` : `${toText(facts, lines, options)}\n`,
  );
}

function toText(facts: Facts, lines: readonly Line[], options: Options): string {
  const { slots, rowsEach, servers, perServer, failures, seed } = options;
  const largest = facts.sizes.at(-1)?.rows ?? 0;
  const table = new Table({
    head: [
      'members',
      'rows',
      'workers',
      'time',
      `at most ${perServer} a server`,
      'members/min',
      'retried',
      'control: sessions',
      'transactions/s',
      'of what it bears',
    ],
    style: { head: [], border: [] },
  });
  const time = ({ seconds }: Answer): string =>
    Number.isFinite(seconds) ? duration(seconds * 1000) : 'never: too many workers';
  for (const { members, rows, workers, connections, free, capped } of lines) {
    table.push([
      whole(members),
      whole(rows),
      workers,
      time(free),
      time(capped),
      whole(free.membersPerMinute),
      free.retried,
      connections,
      whole(free.transactionsPerSecond),
      `${whole(free.share * 100)} %`,
    ]);
  }
  return [
    `Simulated, seed ${seed}: ${whole(rowsEach)} rows a member, ${slots} slots a worker, ${whole(servers)} servers, ${failures} % worked a second time`,
    `Measured: ${facts.sizes.map(({ rows, seconds }) => `${duration(seconds * 1000)} a member of ${whole(rows)} rows`).join(', ')}; ${duration(facts.gapSeconds * 1000)} between two; ${facts.perMember.toFixed(1)} transactions a member, ${facts.idlePerSecond.toFixed(1)} a second of each worker; the control database bears ${whole(facts.limit)} a second`,
    ...(rowsEach > largest
      ? [
          `Beyond what was measured: members of ${whole(rowsEach)} rows are ${(rowsEach / largest).toFixed(1)} times the largest.`,
        ]
      : []),
    table.toString(),
  ].join('\n');
}

function parse(argv: readonly string[]): { options: Options; files: string[] } {
  const number = (value: string): number => {
    if (!/^[1-9]\d{0,8}$/.test(value))
      throw new InvalidArgumentError('It must be a whole number, and not 0.');
    return Number(value);
  };
  const share = (value: string): number => {
    if (!/^\d{1,2}(\.\d+)?$/.test(value)) throw new InvalidArgumentError('It must be a percentage, like 2.');
    return Number(value);
  };
  const numbers = (list: string): number[] => list.split(',').map(number);
  const command = new Command('npm run bench -- fleet-simulation')
    .usage('[options] FILE…')
    .description('What a large fleet takes, from the JSON of bench -- fleet, a file for each size of member.')
    .argument('<files...>', 'what was measured')
    .option('--members <n,n,…>', 'members', numbers, [1_000, 10_000])
    .option('--workers <n,n,…>', 'workers', numbers, [4, 16, 64, 256])
    .option('--slots <n>', 'members at the same time of each worker', number, 4)
    .option('--rows-each <n>', 'rows of each member', number, 100_000)
    .option('--servers <n>', 'servers that the members are spread over', number, 100)
    .option('--per-server <n>', 'the cap of the second time', number, 3)
    .option('--failures <p>', 'percent of the members that are worked a second time', share, 2)
    .option('--seed <n>', 'of its random numbers', number, 1)
    .option('--json', 'one JSON object on stdout instead of the table')
    .helpOption('-h, --help', 'show this');
  command.parse(argv, { from: 'user' });
  const { json = false, ...given } = command.opts<Omit<Options, 'json'> & { json?: boolean }>();
  return { options: { ...given, json }, files: command.args };
}
