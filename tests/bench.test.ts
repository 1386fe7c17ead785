import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Measurement } from '../bench/measure.ts';
import { middleRuns, type Results, targets } from '../bench/report.ts';

const execute = promisify(execFile);
const script = fileURLToPath(new URL('../bench/run.ts', import.meta.url));

/** Speeds on a few hundred users mean nothing; that every line runs and does the work right is what is tested. */
describe('npm run bench', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-test-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('runs every line, finds its work right and writes the tables', async () => {
    const file = path.join(folder, 'benchmarks.md');
    const { stdout } = await execute(process.execPath, [
      script,
      ...['--users', '300', '--scale', '30,300', '--rounds', '1', '--json', '--markdown', file],
    ]);
    const results = JSON.parse(stdout);

    const lines: { method: string; moved: number; seconds: number; wrong: object }[] = results.lines;
    expect(lines.map((line) => line.method).sort()).toEqual([...'abcdefghir']);
    for (const line of lines) expect(line).toMatchObject({ moved: 300, wrong: {} });
    expect(results.scale.map((line: { users: number }) => line.users)).toEqual([30, 300]);
    expect(results.targets).toHaveLength(9);
    expect(results.machine.postgres).toMatch(/^17/);

    const document = await readFile(file, 'utf8');
    for (const { method } of lines) expect(document).toMatch(new RegExp(`^\\| ${method} \\| `, 'm'));
  });

  test('refuses lines and numbers that there are not', async () => {
    for (const args of [['--only', 'a,x'], ['--users', '3'], ['--scale', 'many'], ['--nothing']]) {
      const error = await execute(process.execPath, [script, ...args]).catch((caught) => caught);
      expect(error).toMatchObject({ code: 2 });
      expect(error.stderr).toMatch(/error: /);
    }
  });
});

test('a target is judged by the middle of the rounds, each with its own runs; what was run once, by its round', () => {
  const run = (method: Measurement['method'], usersPerSecond: number) =>
    ({ method, usersPerSecond }) as Measurement;
  // The best runs of both would give 1; the rounds give 2, 1.5 and 0.5.
  const runs = [
    ...[run('b', 100), run('r', 200), run('g', 5)],
    ...[run('b', 200), run('r', 300)],
    ...[run('b', 300), run('r', 150)],
  ];
  const measured = (of: Measurement[]) =>
    targets({ runs: of, scale: [] } as unknown as Results).map((target) => target.measured);
  expect(measured(runs)).toEqual([20, 1.5]);
  expect(measured(runs.slice(0, 5))).toEqual([20, 1.75]);
  expect(middleRuns(runs).map((line) => [line.method, line.usersPerSecond])).toEqual([
    ['b', 200],
    ['r', 200],
    ['g', 5],
  ]);
});
