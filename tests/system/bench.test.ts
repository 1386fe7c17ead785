import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endChild, nextNews, startNode } from '../../bench/children.ts';
import { parseOptions } from '../../bench/options.ts';

const execute = promisify(execFile);
const script = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));

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
      ...['--users', '40', '--scale', '20,40', '--rounds', '1', '--json', '--markdown', file],
    ]);
    const results = JSON.parse(stdout);

    const lines: { method: string; moved: number; seconds: number; wrong: object }[] = results.lines;
    expect(lines.map((line) => line.method).sort()).toEqual([...'abcdefghir']);
    for (const line of lines) expect(line).toMatchObject({ moved: 40, wrong: {} });
    expect(results.scale.map((line: { users: number }) => line.users)).toEqual([20, 40]);
    expect(results.targets).toHaveLength(9);
    expect(results.machine.postgres).toMatch(/^17/);

    const document = await readFile(file, 'utf8');
    for (const { method } of lines) expect(document).toMatch(new RegExp(`^\\| ${method} \\| `, 'm'));
  });

  test('refuses lines that there are not, and numbers that are none', async () => {
    const error = await execute(process.execPath, [script, '--only', 'a,x']).catch((caught) => caught);
    expect(error).toMatchObject({ code: 2 });
    expect(error.stderr).toMatch(/error: /);
    for (const args of [['--users', '3'], ['--scale', 'many'], ['--nothing']]) {
      expect(() => parseOptions(args)).toThrow(expect.objectContaining({ exitCode: 2 }));
    }
  });
});

test('a command of the bench between its turns: calls nothing, and its clock stands still', async () => {
  let calls = 0;
  const api = createServer((_request, response) => {
    calls += 1;
    response.setHeader('content-type', 'application/json').end('{"migrated": 5}');
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}/rpc/migrate_batch`;
  const heldMs = 100;
  // Ends with 0 when its clock left out at least the time for which it was held.
  const command = `
    const [clock, time] = [performance.now(), Date.now()];
    for (const _ of [1, 2, 3]) await (await fetch('${url}')).json();
    process.exitCode = Date.now() - time - (performance.now() - clock) >= ${heldMs - 5} ? 0 : 9;
  `;
  const preload = fileURLToPath(new URL('../../bench/turns.ts', import.meta.url));
  const child = startNode(['--import', preload, '--input-type=module', '--eval', command], {
    env: { BENCH_TURN_MS: '0' },
    talks: true,
  });
  try {
    for (const turn of [0, 1, 2]) {
      expect(await nextNews(child)).toMatchObject({ message: { moved: 5 * turn, ended: false } });
      if (turn === 1) await delay(heldMs);
      expect(calls).toBe(turn);
      child.send({});
    }
    expect(await nextNews(child)).toEqual({ exitCode: 0 });
    expect(calls).toBe(3);
  } finally {
    await endChild(child);
    api.close();
  }
});
