/** The figures of a plan on every path that shows them, read from what is shown. */
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { answers } from '../../functions/_shared/answers.ts';
import { Terminal } from '../../scripts/command/terminal.ts';
import type { Context } from '../../scripts/migrate/context.ts';
import type { Ending } from '../../scripts/migrate/ending.ts';
import { Follower } from '../../scripts/migrate/follow.ts';
import { stats, watch } from '../../scripts/migrate/look.ts';
import { parseOptions } from '../../scripts/migrate/options.ts';
import { toJson, toTable } from '../../scripts/migrate/report.ts';
import { type Answer, call } from './call.ts';

/** What a person reads of the whole plan, or of one of its stages. */
interface Read {
  migrated: number;
  total: number;
  isEstimate: boolean;
  percentage: number;
  /** Or, of a rollback, to be taken back. */
  left: number;
  failed: number;
  held: number;
  conflicts: number;
}

export interface Shown extends Read {
  perMinute: number | null;
  stages: (Partial<Read> & { name: string })[];
}

const number = (text = '0') => Number(text.replaceAll(',', ''));

const percent = String.raw`(?<percentage>[\d.]+) %`;
const migrated = String.raw`(?<migrated>[\d,]+) of (?<about>about )?(?<total>[\d,]+)`;
const left = String.raw`(?:about )?(?<left>[\d,]+) (?:pending|to take back) · (?<failed>[\d,]+) failed(?: · (?<held>[\d,]+) held \(rolled back alone\))?(?: · (?<conflicts>[\d,]+) conflicts?)?`;

function read(groups: Record<string, string | undefined> = {}): Read {
  return {
    migrated: number(groups.migrated),
    total: number(groups.total),
    isEstimate: groups.about !== undefined,
    percentage: Number(groups.percentage),
    left: number(groups.left),
    failed: number(groups.failed),
    held: number(groups.held),
    conflicts: number(groups.conflicts),
  };
}

/** Reads a frame on a terminal, or a table. */
export function readText(shown: string): Shown {
  const text = stripVTControlCharacters(shown)
    .replaceAll(/[│┌┐└┘─█░\s]+/g, ' ')
    .replaceAll(/ (?=· )|(?<= ·) +/g, ' ');
  const found = (pattern: string) => new RegExp(pattern).exec(text)?.groups ?? {};
  const words = String.raw` [^·\d]+? migrated`;
  const whole = {
    ...found(`${percent} · ${migrated}${words}|${migrated}${words} \\(${percent}\\)`),
    ...found(left),
  };
  const stages = [
    ...text.matchAll(new RegExp(`(?<name>[^·:]*?): ${migrated} migrated · ${percent} · ${left}`, 'g')),
  ].map(({ groups }) => ({
    name: groups?.name?.replace(/^.*(Stages|failed|conflicts?|alone\)) /, '').trim() ?? '',
    ...read(groups),
  }));
  const rate = /([\d,]+) a minute(?: now)?(?! on average)/.exec(
    text.replace(/This command .*? a minute\)/, ''),
  );
  return { ...read(whole), perMinute: rate ? number(rate[1]) : null, stages };
}

/** The same of what SQL, or --json, tells. */
export function readJson(progress: Answer): Shown {
  const of = (counts: Answer): Read => ({
    migrated: counts.migrated,
    total: counts.total,
    isEstimate: counts.total_is_estimate,
    percentage: counts.percentage,
    left: progress.direction === 'rollback' ? counts.migrated : counts.pending,
    failed: counts.failed,
    held: counts.held,
    conflicts: counts.conflicts,
  });
  const stages = progress.stages.length > 1 ? progress.stages : [];
  return {
    ...of(progress),
    perMinute: progress.per_minute,
    stages: stages.map((stage: Answer) => ({ name: stage.entity_plural, ...of(stage) })),
  };
}

/** A terminal of some size that keeps what is drawn. */
export function fakeTerminal(columns: number, rows = 24): { terminal: Terminal; frames: () => string[] } {
  let written = '';
  const stream = Object.assign(
    new Writable({
      write: (chunk, _, done) => {
        written += chunk;
        done();
      },
    }),
    { isTTY: true, columns, rows },
  );
  const terminal = Object.defineProperty(new Terminal('info'), 'stream', { value: stream });
  return { terminal, frames: () => framesOf(written) };
}

/** What was to be seen, one after the other, of what was written to a terminal. */
export function framesOf(written: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal is told by
  return written.split(/\u001b\[\d+A\r\u001b\[0J|\u001b\[\?25[lh]/).filter((frame) => frame.trim() !== '');
}

/** What an action works with, its calls going to the database directly. */
export function contextOn(sql: Sql, plan: string, flags: string[], columns = 80) {
  const { terminal, frames } = fakeTerminal(columns);
  const stop = new AbortController();
  const emitted: Record<string, unknown>[] = [];
  const context = {
    options: parseOptions(['--plan', plan, ...flags], 'npm run migrate', 'migrate'),
    terminal,
    caller: {
      call: async (name: keyof typeof answers, args: Record<string, unknown>) =>
        answers[name].parse(await call(sql, name, args)),
    },
    signal: stop.signal,
    program: 'npm run migrate',
    databaseUrl: undefined,
    shared: true,
    emit: (line: Record<string, unknown>) => emitted.push(line),
  } as unknown as Context;
  return { context, stop, frames, emitted };
}

const table = (plan: string, action: 'stats' | 'watch', ending: Ending) =>
  toTable({ action, plan, calls: 1, retries: 0, lostReplies: 0 }, ending).join('\n');

/** Every path on which the figures of a plan are shown. Nobody may be moving. */
export async function paths(sql: Sql, plan: string): Promise<Record<string, Shown>> {
  const looked = contextOn(sql, plan, ['--stats-only']);
  const ending = await stats(looked.context);
  const json = toJson({ action: 'stats', plan, calls: 1, retries: 0, lostReplies: 0 }, ending);
  const watched = contextOn(sql, plan, ['--watch', '--json']);
  watched.stop.abort();
  const seen = await watch(watched.context);
  const driven = contextOn(sql, plan, []);
  const before = answers.get_detailed_migration_progress.parse(
    await call(sql, 'get_detailed_migration_progress', { plan }),
  );
  const follower = new Follower(driven.context, before, 2);
  await follower.stop();
  return {
    '--stats-only': readText(table(plan, 'stats', ending)),
    '--stats-only --json': readJson(json.progress as Answer),
    '--watch': readText(watched.frames().at(-1) ?? ''),
    '--watch --json': readJson(watched.emitted.at(-1) as Answer),
    'the bar': readText(driven.frames().at(-1) ?? ''),
    'the table at the end': readText(table(plan, 'watch', seen)),
    report: readJson((await call(sql, 'get_migration_report', { plan })).progress),
  };
}

/** All of them show what SQL tells; gives that. */
export async function expectSameFigures(sql: Sql, plan: string): Promise<Shown> {
  const told = readJson(await call(sql, 'get_detailed_migration_progress', { plan }));
  for (const [path, shown] of Object.entries(await paths(sql, plan)))
    expect({ path, ...shown }).toEqual({ path, ...told });
  return told;
}
