/** The package as `npm pack` makes it, used from the node_modules of somebody's project. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeEmbedded } from '../support/embedded.ts';
import { installPackage } from '../support/packed.ts';
import { configText, execute, put } from '../support/project.ts';
import { until } from '../support/until.ts';

let app: string;
let installed: string;
/** Files of the tarball. */
let packed: string[];

beforeAll(async () => {
  app = await mkdtemp(path.join(tmpdir(), 'imago-package-'));
  // PostgreSQL's own account passes through when we are root.
  await chmod(app, 0o755);
  installed = await installPackage(app);
  packed = (await readdir(installed, { recursive: true })).sort();
  await put(app, 'package.json', '{ "name": "shop", "private": true }');
  await put(app, 'supabase/config.toml', configText);
});
afterAll(async () => {
  await removeEmbedded(path.join(app, '.imago'));
  await rm(app, { recursive: true, force: true });
});

/** `npx --no imago` in the project, with nothing of the tester's environment that it reads. */
async function npxImago(...args: string[]) {
  return await execute('npx', ['--no-install', 'imago', ...args], app, {
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    SUPABASE_URL: undefined,
    DATABASE_URL: undefined,
    IMAGO_FOLDER: undefined,
  });
}

describe('the files of the npm package', () => {
  test('are compiled modules and what they read, no tests and nothing of a workplace', () => {
    for (const file of [
      'dist/scripts/imago.js',
      'dist/scripts/connection/supabase-ca.crt',
      'dist/scripts/embedded/platform/roles.sql',
      'dist/scripts/embedded/extensions/pg_cron.control',
      'dist/functions/migrate/index.js',
      'dist/dashboard.html',
      'dist/report.js',
      'functions/migrate/index.ts',
      'functions/migrate/deno.json',
      'sql/uninstall.sql',
      'supabase/config.toml',
      '.env.example',
      'LICENSE',
      'README.md',
    ]) {
      expect(packed).toContain(file);
    }
    expect(
      packed.filter((file) =>
        /^(tests|bench|scripts|node_modules|\.imago|\.git)(\/|$)|\.temp|\.env$/.test(file),
      ),
    ).toEqual([]);
  });

  test('import nothing but what package.json names as dependencies, and files that are there', async () => {
    const { dependencies } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8'));
    const unknown: string[] = [];
    const modules = packed.filter((name) => /^dist\/.*\.js$/.test(name));
    for (const file of modules) {
      const text = await readFile(path.join(installed, file), 'utf8');
      const imports = text.matchAll(
        /^(?:import|export|\})[^'\n]* from '([^']+)'|\bimport\('([^']+)'\)|\.resolve\('([^']+)'\)/gm,
      );
      for (const [, first, second, third] of imports) {
        const name = first ?? second ?? third ?? '';
        const relative = name.startsWith('.');
        const there = relative
          ? packed.includes(path.join(path.dirname(file), name))
          : isBuiltin(name) || name.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1') in dependencies;
        if (!there) unknown.push(`${file}: ${name}`);
      }
    }
    expect(unknown).toEqual([]);
  });
});

describe('npx --no imago', () => {
  test('--help lists the commands, and each has its own', async () => {
    const help = await npxImago('--help');
    expect(help.code, help.stderr).toBe(0);
    const commands = [...help.stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name = '']) => name);
    expect(commands).toEqual(expect.arrayContaining(['install', 'doctor', 'migrate', 'validate', 'local']));
    for (const command of commands) {
      const own = await execute(
        process.execPath,
        [path.join(installed, 'dist/scripts/imago.js'), command, '--help'],
        app,
      );
      expect(own.code, own.stderr).toBe(0);
      expect(own.stdout).toContain('Usage:');
    }
  });

  test('install adds migrations and functions to the project', async () => {
    const done = await npxImago('install', '--json');
    expect(done.code, done.stderr).toBe(0);
    const { added, next } = JSON.parse(done.stdout);
    expect(next).toContain('npx --no imago doctor');
    expect(added).toContain('supabase/functions/migrate/index.ts');
    expect(await readFile(path.join(app, 'supabase/functions/migrate/index.ts'), 'utf8')).toContain(
      '../_imago/',
    );
    expect(JSON.parse((await npxImago('install', '--json')).stdout)).toMatchObject({ status: 'unchanged' });
  });

  test('migrate works on the embedded Supabase, and keeps its data in the project', async () => {
    const done = await npxImago('migrate', '--sample', '40', '--json');
    expect(done.code, done.stderr).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: 'done', exit_code: 0 });
    expect((await stat(path.join(app, '.imago/postgres'))).isDirectory()).toBe(true);
    expect(await readFile(path.join(app, '.imago/.gitignore'), 'utf8')).toBe('*\n');
  });

  test('local is shared by other commands, its functions included; takes the migrations of the project for a new database, and leaves the sample app alone', async () => {
    const things = 'create table public.things (id integer primary key);\n';
    await put(app, 'supabase/migrations/20250101000000_things.sql', things);
    const sample = await runLocal([], async () => {
      const checked = await npxImago('validate', '--report', 'checked.html');
      expect(checked.code, checked.stderr).toBe(0);
      expect(await readFile(path.join(app, 'checked.html'), 'utf8')).toContain('40 of 40 users migrated');

      const back = await npxImago('migrate', '--rollback', '--via-function', '--json');
      expect(back.code, back.stderr).toBe(0);
      expect(JSON.parse(back.stdout)).toMatchObject({ status: 'done', exit_code: 0 });
      const doctor = await npxImago('doctor', '--json');
      expect(JSON.parse(doctor.stdout)).toMatchObject({ exit_code: 0, findings: [] });
    });
    expect(sample.said).toContain(`To have the project in ${app} instead, add --reset`);
    expect(sample.tables).toContain('users');
    expect(sample.page).toMatch(/^<!doctype html>\n<html data-target="http:/);
    const project = await runLocal(['--reset']);
    expect(project.said).toContain('Applying 3 migrations');
    expect(project.tables).toEqual(['things']);
  });
});

/** `npx imago local` in the project as far as that it is running: what it says, the tables that it then has, and its page; it goes on until all that is done. */
async function runLocal(
  args: string[] = [],
  meanwhile = async () => {},
): Promise<{ said: string; tables: string[]; page: string }> {
  const child = spawn(process.execPath, [path.join(app, 'node_modules/.bin/imago'), 'local', ...args], {
    cwd: app,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    let said = '';
    let facts = '';
    child.stdout.on('data', (chunk) => {
      facts += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await until(
      'it is running',
      async () => {
        if (child.exitCode !== null) throw new Error(said);
        return said.includes('Ctrl-C stops it');
      },
      60_000,
    );
    const url = /^DATABASE_URL=(.*)$/m.exec(facts)?.[1] as string;
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    const rows = await sql`select tablename from pg_tables where schemaname = 'public' order by 1`;
    await sql.end();
    const [, dashboard = ''] = /in a browser: +(\S+)/.exec(said) ?? [];
    const page = await (await fetch(dashboard)).text();
    await meanwhile();
    return { said, tables: rows.map(({ tablename }) => tablename), page };
  } finally {
    child.kill('SIGINT');
    await ended;
  }
}
