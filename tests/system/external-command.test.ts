/** The command works an external stage with the function that the plan has in the project, through a service that fails. */
import { symlink } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { value } from '../support/call.ts';
import { freshProject, runCommand, startCommand } from '../support/command.ts';
import { createExternalPlan, EXTERNAL } from '../support/external.ts';
import { contents } from '../support/plan.ts';
import { projectFolder } from '../support/project.ts';

const PEOPLE = 10_000;
const file = `supabase/imago/plans/${EXTERNAL}/external.ts`;

const external = `
import { z } from 'zod';

export const row = z.object({ name: z.string() });
export const result = z.object({ hash: z.string() });
export const options = { batchSize: 100, retries: 8, leaseMs: 4000 };

export async function apply(rows: z.infer<typeof row>[], { signal }: { signal: AbortSignal }) {
  const response = await fetch(process.env.SERVICE!, { method: 'POST', body: JSON.stringify(rows), signal });
  if (!response.ok) throw Object.assign(new Error('no answer'), { code: 'HTTP' + response.status });
  return await response.json();
}
`;

/** A service that answers in JSON, but for every tenth request, which fails. */
async function service(answer: (rows: { name: string }[], n: number) => Promise<unknown>): Promise<string> {
  let count = 0;
  const server = createServer(async (request: IncomingMessage, response) => {
    const rows = JSON.parse(await text(request));
    count += 1;
    if (count % 10 === 0) response.writeHead(503).end();
    else response.end(JSON.stringify(await answer(rows, count)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('10,000 rows through a service that fails one call in ten, a driver that is killed, and an app that writes', async () => {
  const { db, environment } = await freshProject({ app: 'none' });
  const { sql } = db;
  await createExternalPlan(sql, PEOPLE);
  const before = await contents(sql, ['public.people']);
  const folder = await projectFolder({ [file]: external });
  await symlink(`${packageFolder}/node_modules`, `${folder}/node_modules`);

  let isFixed = false;
  const half = Promise.withResolvers<void>();
  const SERVICE = await service(async (rows, n) => {
    if (n === 21) {
      // What the app writes while a row is outside has to be seen.
      await sql`update public.people set name = 'Changed meanwhile' where name = ${rows.find(({ name }) => name !== 'Person 77')?.name ?? ''}`;
    }
    if (n === 41) half.resolve();
    return rows.map(({ name }) => ({ hash: name === 'Person 77' && !isFixed ? 77 : `#${name}` }));
  });
  const settings = { ...environment, SERVICE };
  const args = ['--plan', EXTERNAL, '--json', '--yes'];

  const refused = await runCommand(args, settings);
  expect([refused.code, refused.json()]).toMatchObject([
    3,
    { next: [expect.stringContaining(file), expect.any(String)] },
  ]);

  const killed = startCommand(args, settings, { cwd: folder });
  await Promise.race([
    half.promise,
    killed.finished.then(({ stderr, stdout }) => {
      throw new Error(`it ended: ${stderr}${stdout}`);
    }),
  ]);
  killed.child.kill('SIGKILL');
  expect(
    await value<number>(sql, 'select count(*)::int from public.people where hash is null'),
  ).toBeGreaterThan(0);

  const second = await runCommand(args, settings, { cwd: folder });
  expect([second.code, second.json(), second.stderr]).toMatchObject([
    3,
    { progress: { total: PEOPLE, migrated: PEOPLE - 1, failed: 1, remaining: 0 } },
    expect.stringContaining('external.ts'),
  ]);
  expect([...(await sql`select kind, reason, column_name from imago.failure`)]).toEqual([
    { kind: 'failed', reason: 'outside: result', column_name: 'hash' },
  ]);
  expect(
    await value(sql, `select to_jsonb(p) - 'id' from public.people p where name = 'Changed meanwhile'`),
  ).toEqual({
    name: 'Changed meanwhile',
    hash: '#Changed meanwhile',
  });

  isFixed = true;
  const retried = await runCommand([...args, '--retry-failed'], settings, { cwd: folder });
  expect(retried.code).toBe(0);
  const last = await runCommand(args, settings, { cwd: folder });
  expect([last.code, last.json().progress]).toMatchObject([0, { state: 'succeeded', migrated: PEOPLE }]);
  expect(
    await value(sql, `select count(*)::int from public.people where hash is distinct from '#' || name`),
  ).toBe(0);

  const back = await runCommand([...args, '--rollback'], settings, { cwd: folder });
  expect(back.code).toBe(0);
  const after = await contents(sql, ['public.people']);
  const changed = (rows: Record<string, string[]>) =>
    rows['public.people']?.filter((row) => row.includes('Changed')) ?? [];
  expect(after['public.people']?.length).toBe(before['public.people']?.length);
  expect(changed(after)).toEqual([expect.stringMatching(/,"?Changed meanwhile"?,\)$/)]);
  expect(after['public.people']?.filter((row) => !before['public.people']?.includes(row))).toEqual(
    changed(after),
  );
}, 120_000);
