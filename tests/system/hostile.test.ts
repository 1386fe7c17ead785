/** What every command prints of a server, a database and a project whose texts are meant to harm the terminal. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run as imago } from '../../scripts/imago/run.ts';
import { expectAllMigrated } from '../support/avatars.ts';
import { freshProject, type Project } from '../support/command.ts';
import {
  harmful,
  hostile,
  type Instead,
  type Printed,
  printed,
  startHostileServer,
  withoutOurs,
} from '../support/hostile.ts';

/** The environment of commands that work on the project through a hostile server. */
async function behind({ url, environment }: Project, instead?: Instead): Promise<Record<string, string>> {
  const { DATABASE_URL: _, ...rest } = environment;
  const SUPABASE_URL = await startHostileServer(url, instead);
  return { ...rest, SUPABASE_URL, IMAGO_ENV_FILE: '/dev/null', MIGRATION_LOG_LEVEL: 'debug' };
}

/** Nothing that was printed acts on a terminal, and no line of it is theirs. */
function expectHarmless({ stdout, stderr }: Printed): void {
  for (const text of [stdout, stderr].map(withoutOurs)) {
    expect(harmful.exec(text)).toBeNull();
    expect(text).not.toMatch(/^[│\s]*Result: forged/m);
  }
}

const said = ({ stdout, stderr }: Printed) => stdout + stderr;

describe('on a hostile server', () => {
  test('no command prints what acts, neither in tables and on stderr, nor drawn in place, nor in JSON and pages', async () => {
    const project = await freshProject();
    const environment = await behind(project);
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-hostile-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const page = path.join(folder, 'page.html');
    const run = async (line: string, terminal = false): Promise<Printed> => {
      const ended = await printed(() => imago(line.split(' ')), environment, { terminal });
      expect([line, ended.code]).toEqual([line, expect.any(Number)]);
      expectHarmless(ended);
      return ended;
    };
    const both = async (line: string): Promise<Printed> => {
      const json = await run(`${line} --json`);
      for (const text of json.stdout.trimEnd().split('\n')) expect(JSON.parse(text)).toHaveProperty('type');
      return await run(line);
    };
    expect(said(await both('status'))).toContain('\ufffd');
    expect(said(await both('dry-run preflight'))).toContain('\ufffd');
    expect(said(await run('dry-run'))).toContain('\ufffd');
    expect(said(await run('migrate --yes --max-ms 50', true))).toContain('\ufffd');
    await expectAllMigrated(project.db.sql);
    expect(said(await run('watch', true))).toContain('\ufffd');
    await project.db
      .sql`update public.posts set avatar_id = null where id in (select id from public.posts limit 12)`;
    expect(said(await run(`validate --detailed --report ${page}`, true))).toContain('\ufffd');
    expect(harmful.exec(await readFile(page, 'utf8'))).toBeNull();
    expect(said(await both('validate --dry-run --detailed'))).toContain('\ufffd');
    expect(said(await both('doctor'))).toContain('\ufffd');
    expect(said(await run('finalize --dry-run'))).toContain('\ufffd');
    expect(said(await run('rollback --yes'))).toContain('\ufffd');
    await run('cleanup --dry-run');
    await run('schedule --yes');
  });

  test.each([
    ['a refusal of the engine', 400, { code: 'IM020', message: `no: ${hostile}`, hint: `do: ${hostile}` }],
    ['one of PostgreSQL', 400, { code: '42P01', message: `no: ${hostile}`, hint: `do: ${hostile}` }],
    ['one of PostgREST', 400, { code: 'PGRST100', message: `no: ${hostile}`, hint: `do: ${hostile}` }],
    ['a code that is none', 500, { code: hostile, message: hostile, hint: hostile }],
    ['another version', 200, { version: hostile }],
  ])('%s is told without what acts', async (_, status, body) => {
    const environment = await behind(await freshProject({ app: 'none', migrated: false }), () => ({
      status,
      body,
    }));
    for (const line of ['migrate --yes', 'validate', 'doctor', 'status --json']) {
      const ended = await printed(() => imago(line.split(' ')), environment);
      expect([line, ended.code]).toEqual([line, 1]);
      expectHarmless(ended);
    }
  });
});
