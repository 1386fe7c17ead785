/** What `npm run bench -- foreground` prints. */
import Table from 'cli-table3';
import { whole } from '../../scripts/command/figures.ts';
import type { MethodKey } from '../methods.ts';
import type { ForegroundOptions, Writers } from './options.ts';

/** One line as it was measured. */
export interface Line {
  title: string;
  method: MethodKey | undefined;
  writers: Writers;
  /** Milliseconds of the app's transactions, sorted. */
  latencies: readonly number[];
  /** Users that had moved when the time was over. */
  moved: number | undefined;
  /** An error ended its work, such as a deadlock with the app. */
  failed: boolean;
}

/** The figures of a line, in milliseconds, and as a multiple of those of the app alone. */
export interface Figures {
  writers: Writers;
  line: string;
  p50: number;
  p99: number;
  p999: number;
  longest: number;
  /** p99 against that of the app alone, the mean of before and after. */
  ratio: number;
  moved: number | undefined;
  failed: boolean;
}

/** The figures of all lines. */
export function middle(lines: readonly Line[]): Figures[] {
  return lines.map(({ title, writers, latencies, moved, failed }) => {
    const alone = lines.filter((line) => line.writers === writers && line.method === undefined);
    const base = alone.reduce((sum, line) => sum + percentile(line.latencies, 99), 0) / alone.length;
    return {
      writers,
      line: title,
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      p999: percentile(latencies, 99.9),
      longest: latencies.at(-1) ?? Number.NaN,
      ratio: percentile(latencies, 99) / base,
      moved,
      failed,
    };
  });
}

/** The smallest value that so many percent do not pass. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/** A table for each kind of writers. */
export function toText(figures: readonly Figures[], { users, rate, seconds }: ForegroundOptions): string {
  const table = new Table({
    head: ['writers', 'beside the app', 'p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms', 'p99 / alone', 'moved'],
    style: { head: [], border: [] },
  });
  for (const { writers, line, p50, p99, p999, longest, ratio, moved, failed } of figures)
    table.push([
      writers,
      line,
      ...[p50, p99, p999, longest].map((ms) => ms.toFixed(1)),
      ratio.toFixed(2),
      failed ? 'an error ended it' : moved === undefined ? '' : whole(moved),
    ]);
  return `${table}\n${whole(users)} users, ${rate} transactions of the app a second for ${seconds} s each.`;
}
