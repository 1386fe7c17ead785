import { execFile } from 'node:child_process';
import { constants, readdirSync } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTables } from '../../scripts/docs/tables.ts';
import { entries } from '../../scripts/imago/commands.ts';
import { registrationTables } from '../../scripts/plan/promised.ts';
import { call } from '../support/call.ts';
import { installCron, installNet } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);

interface Page {
  file: string;
  text: string;
  /** The text without its code blocks. */
  prose: string;
}

const files = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'bench/NOTES.md',
  'sql/engine/README.md',
  ...(await readdir(path.join(root, 'docs'), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const pages: Page[] = await Promise.all(
  files.map(async (file) => {
    const text = await readFile(path.join(root, file), 'utf8');
    return { file, text, prose: text.replaceAll(/^```[\s\S]*?^```$/gm, '') };
  }),
);

function page(file: string): Page {
  const found = pages.find((candidate) => candidate.file === file);
  if (!found) throw new Error(`there is no ${file}`);
  return found;
}

/** The code blocks of a page in one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, written]) => written === language)
    .map(([, , body = '']) => body.trim());
}

/** What stands in back quotes in the prose of all pages, each with its page. */
const spans = pages.flatMap(({ file, prose }) =>
  [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => ({ file, span })),
);

function exists(file: string): Promise<boolean> {
  return access(path.join(root, file)).then(
    () => true,
    () => false,
  );
}

/** The anchor that GitHub gives a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function anchors({ prose }: Page): string[] {
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchor(heading));
}

/** The part of a page under a heading; under that of a function in docs/sql.md when nothing else is said. */
function section(name: string, file = 'docs/sql.md', heading = `### ${name}`): string {
  const [, after = ''] = page(file).text.split(`\n${heading}\n`);
  return after.split(/^#{2,4} /m)[0] ?? '';
}

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 30 });
});
afterAll(() => db.drop());

describe('what is built into docs from SQL', () => {
  test('is as the sources have it (build:docs --check)', async () => {
    await execute(process.execPath, [path.join(root, 'scripts/build-docs.ts'), '--check']);
  });

  test('docs/errors.md has every error of imago.error, and no other', async () => {
    const { text } = page('docs/errors.md');
    const errors = await db.sql<{ code: string; message: string; hint: string; cause: string }[]>`
      select code, message, hint, cause from imago.error order by code`;
    const headings = [...text.matchAll(/^### (IM\d{3})$/gm)].map(([, code]) => code);
    expect(headings).toEqual(errors.map(({ code }) => code));
    for (const { code, message, hint, cause } of errors) {
      const entry = text.split(`### ${code}\n`)[1]?.split(/^### /m)[0] ?? '';
      const open = (format: string) => format.replaceAll(/%\d\$L/g, "'…'").replaceAll(/%\d\$s/g, '…');
      expect(entry).toContain(`\`${open(message)}\``);
      expect(entry).toContain(`Cause: ${cause}`);
      expect(entry).toContain(`Remedy: ${open(hint)}`);
    }
  });

  test('docs/architecture.md has every transition', async () => {
    const edges = await db.sql<{ line: string }[]>`
      select concat('| ', concat_ws(' | ', from_state, event, to_state, sentence), ' |') as line from imago.transition`;
    const { text } = page('docs/architecture.md');
    for (const { line } of edges) expect(text).toContain(line);
    expect(text.match(/^\| (pending|running|paused|failed) \|.*$/gm)).toHaveLength(edges.length);
  });

  test('docs/sql.md has every setting with its default', async () => {
    // Two have other values on the server of the tests.
    const settings = await db.sql<{ line: string }[]>`
      select format('| \`%s\` | %s | %s |', name,
        case name when 'beside_app_percent' then '50' when 'notice_ms' then '1500' else value end, note) as line
      from imago.setting`;
    for (const { line } of settings) expect(page('docs/sql.md').text).toContain(line);
  });
});

describe('docs/write-a-plan.md', () => {
  test('has every contract function with the signature that the database knows', async () => {
    const functions = await db.sql<{ name: string; args: string }[]>`
      select p.proname as name, pg_get_function_arguments(p.oid) as args from pg_proc p
      where p.pronamespace = 'imago'::regnamespace and obj_description(p.oid, 'pg_proc') like 'For plans: %'
      order by 1`;
    const { text } = page('docs/write-a-plan.md');
    const headings = [...text.matchAll(/^#### (\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(functions.map(({ name }) => name));
    for (const { name, args } of functions) {
      const inside = args
        .replaceAll(' DEFAULT ', ' default ')
        .replaceAll('VARIADIC', 'variadic')
        .replaceAll('NULL', 'null');
      expect(text).toContain(`\`imago.${name}(${inside.replaceAll(/::[\w[\]]+/g, '')}) returns `);
    }
  });

  test.each(registrationTables)('has every column of imago.%s as the database knows it', async (name) => {
    const columns = await db.sql<
      { column: string; type: string; default: string | null; required: boolean; said: string }[]
    >`
      select a.attname as column, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull and a.attidentity = '' as required,
        case when a.attidentity <> '' then 'numbered' when a.attgenerated <> '' then 'computed' else pg_get_expr(d.adbin, d.adrelid) end as default,
        col_description(a.attrelid, a.attnum) as said
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = ${`imago.${name}`}::regclass and a.attnum > 0 and not a.attisdropped
      order by a.attnum`;
    const written = section(name, 'docs/write-a-plan.md', `#### imago.${name}`);
    const rows = [...written.matchAll(/^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$/gm)].map(
      ([, column, type, preset = '', , said = '']) => ({
        column,
        type,
        preset: preset.replaceAll('`', ''),
        said: said.replaceAll('\\', ''),
      }),
    );
    expect(rows).toEqual(
      columns.map(({ column, type, default: preset, required, said }) => ({
        column,
        type: type.replace('timestamp with time zone', 'timestamptz'),
        preset: preset?.replaceAll(/::[\w[\]]+/g, '') ?? (required ? 'required' : 'null'),
        said,
      })),
    );
  });

  test.each(registrationTables)('has every value that imago.%s allows', async (name) => {
    const checks = await db.sql<{ columns: string[]; definition: string }[]>`
      select array(select a.attname from pg_attribute a where a.attrelid = c.conrelid and a.attnum = any (c.conkey)) as columns,
        pg_get_constraintdef(c.oid) as definition
      from pg_constraint c where c.conrelid = ${`imago.${name}`}::regclass and c.contype = 'c'`;
    const written = section(name, 'docs/write-a-plan.md', `#### imago.${name}`);
    const own = readTables().find((table) => table.name === name);
    const ownChecks = own?.columns.filter(({ check }) => check !== undefined).length ?? 0;
    const together = own?.constraints.filter((constraint) => constraint.startsWith('check')).length ?? 0;
    expect(ownChecks + together).toBe(checks.length);
    for (const { columns, definition } of checks) {
      const values = [...definition.matchAll(/'([^']+)'/g)].map(([, value = '']) => value);
      const lines = written
        .split('\n')
        .filter((line) =>
          columns.some((column) => line.includes(`\`${column}\``) || line.startsWith('Together')),
        );
      for (const value of values) expect(lines.join('\n')).toContain(value);
    }
  });
});

test('sql/engine/README.md has every foreign key and every function of schema imago', async () => {
  const { text } = page('sql/engine/README.md');
  const keys = await db.sql<{ arrow: string }[]>`
    select format('  %s %s--o{ %s : %s', f.relname, case when a.attnotnull then '||' else '|o' end, t.relname, a.attname) as arrow
    from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class f on f.oid = c.confrelid
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and t.relnamespace = 'imago'::regnamespace`;
  const arrows = text.match(/^ {2}\w+ (\|\||\|o)--o\{ .*$/gm) ?? [];
  expect(arrows.toSorted()).toEqual(keys.map(({ arrow }) => arrow).toSorted());
  const functions = await db.sql<{ name: string }[]>`
    select p.proname as name from pg_proc p where p.pronamespace = 'imago'::regnamespace and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype`;
  const mapped = [...text.matchAll(/^\| \[(\w+)\]/gm)].map(([, name]) => name);
  const called = readdirSync('sql/api/procedures').map((file) => file.replace('.sql', ''));
  expect(functions.map(({ name }) => name).filter((name) => ![...mapped, ...called].includes(name))).toEqual(
    [],
  );
});

describe('docs/sql.md', () => {
  test('has each function with its arguments and defaults, and no other', async () => {
    const functions = await db.sql<{ name: string; signature: string }[]>`
      select p.proname as name, format('%s(%s)', p.proname, pg_get_function_arguments(p.oid)) as signature
      from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.oid in (select a.object_id from imago.added a where a.plan is null)`;
    for (const { name, signature } of functions) {
      const written = signature
        .replaceAll(' DEFAULT ', ' default ')
        .replaceAll(/::\w+(\[\])?/g, '')
        .replaceAll('NULL', 'null');
      expect(blocks(section(name), 'sql')[0]).toBe(written);
    }
    const headings = [...page('docs/sql.md').text.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(headings.toSorted()).toEqual([...functions.map(({ name }) => name), 'migration_log'].toSorted());
  });

  test('names every field of every answer', async () => {
    const plan = 'avatars';
    const calls: [name: string, args: Record<string, unknown>][] = [
      ['dry_run_migration', { mode: 'preflight' }],
      ['dry_run_migration', {}],
      ['prepare_migration', {}],
      ['migrate_batch', { plan }],
      ['pause_migration', {}],
      ['resume_migration', {}],
    ];
    const missing: string[] = [];
    const look = async (name: string, args: Record<string, unknown> = {}): Promise<void> => {
      const documented = section(name);
      for (const field of Object.keys(await call(db.sql, name, args))) {
        if (!documented.includes(`\`${field}\``)) missing.push(`${name}: ${field}`);
      }
    };
    for (const [name, args] of calls.slice(0, 4)) await look(name, args);
    while ((await call(db.sql, 'prepare_migration')).has_more);
    await look('migrate_users_batch', { batch_size: 5 });
    const [user] = await db.sql<{ id: string }[]>`select id from users order by id limit 1`;
    await look('rollback_user_migration', { user_id: user?.id });
    await look('migrate_user_to_avatar_centric', { user_id: user?.id });
    for (const [name] of calls.slice(4)) {
      // The fields of these are written once, under the first.
      for (const field of Object.keys(await call(db.sql, name))) {
        if (!section('pause_migration').includes(`\`${field}\``)) missing.push(`${name}: ${field}`);
      }
    }
    const [poisoned] = await db.sql<{ id: string }[]>`select id from users order by id desc limit 1`;
    await db.sql`alter table avatars add constraint no_one check (owner_user_id <> ${db.sql.unsafe(`'${poisoned?.id}'`)})`;
    await migrateAll(db.sql);
    for (const name of [
      'get_migration_statistics',
      'get_detailed_migration_progress',
      'get_migration_performance_stats',
    ]) {
      await look(name);
    }
    await look('retry_failed_migrations');
    await look('rollback_batch');
    await installCron(db);
    for (const name of ['schedule_migration', 'unschedule_migration', 'throttle_migration']) await look(name);
    expect(missing).toEqual([]);
  });

  test('names every column of migration_log', async () => {
    const columns = await db.sql<{ name: string }[]>`
      select attname as name from pg_attribute where attrelid = 'public.migration_log'::regclass and attnum > 0`;
    for (const { name } of columns) expect(section('migration_log')).toContain(`\`${name}\``);
  });

  test('and every other page have only SQL that runs', async () => {
    const other = await freshDatabase({ app: 'sample', users: 30 });
    try {
      await installCron(other);
      await installNet(other);
      for (const { file, text } of pages) {
        const statements = blocks(text, 'sql').filter((block) => /^(select|set|do|drop)\b/.test(block));
        for (const statement of statements) {
          // What one page holds back, the others are to do.
          await other.sql`delete from imago.throttle`;
          for (const part of statement.startsWith('set') ? statement.split(/(?<=^set .*;)\n/) : [statement]) {
            const error = await other.sql.unsafe(part).then(
              () => undefined,
              (raised: Error & { code?: string }) => raised,
            );
            // What needs a run in some other state is refused by name.
            if (error && !error.code?.startsWith('IM')) throw new Error(`${file}: ${part}: ${error.message}`);
          }
        }
      }
      expect(await call(other.sql, 'get_migration_statistics')).toMatchObject({ total_users: 30 });
    } finally {
      await other.drop();
    }
  });
});

/** What `imago plan new` writes into the project of an app. */
const ofThePlan = new Set([
  'supabase/imago/plans/',
  ...['functions/apply.sql', 'functions/prepare.sql', 'registration.sql', 'schema.sql'],
  ...['rows.sql', 'test/rows.sql', 'test/conformance.toml'],
  ...['external.ts', 'functions/read.sql', 'read.sql'],
]);

describe('everything that docs and README name exists:', () => {
  test('files', async () => {
    const named = spans.filter(({ span }) =>
      /^(\.?\w[\w.-]*\/)+[\w.-]*$|^[\w.-]+\.(md|json|toml|ts|sql)$/.test(span),
    );
    const missing = [];
    for (const { file, span } of named) {
      const elsewhere = !span.includes('/') && (await exists(path.join(path.dirname(file), span)));
      if (!elsewhere && !ofThePlan.has(span) && !(await exists(span))) missing.push(`${file}: ${span}`);
    }
    expect(missing).toEqual([]);
  });

  test('links, with their anchors', async () => {
    const missing = [];
    for (const { file, prose } of pages) {
      for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [to = '', fragment] = target.split('#');
        const reached = to === '' ? file : path.join(path.dirname(file), to);
        const found = pages.find((candidate) => candidate.file === reached);
        if (!(await exists(reached)) || (fragment && found && !anchors(found).includes(fragment))) {
          missing.push(`${file}: ${target}`);
        }
      }
    }
    expect(missing).toEqual([]);
  });

  test('functions, tables, views and columns', async () => {
    const objects = await db.sql<{ name: string }[]>`
      select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      union select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      union select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and a.attnum > 0`;
    const known = new Set(objects.map(({ name }) => name));
    // A setting, not an object.
    known.add('imago.batch');
    const named = spans.filter(({ span }) =>
      /^(imago|imago_undo|avatars|public|users|posts|follows)\.[a-z_]+$/.test(span),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ span }) => !known.has(span)).map(({ file, span }) => `${file}: ${span}`)).toEqual(
      [],
    );
  });

  test('functions of schema public', async () => {
    const functions = await db.sql<{ name: string }[]>`
      select proname as name from pg_proc where pronamespace = 'public'::regnamespace`;
    const known = new Set(functions.map(({ name }) => name));
    const called = pages.flatMap(({ file, text }) =>
      [
        ...text.matchAll(
          /\b((?:migrate|rollback|prepare|pause|resume|cancel|retry|dry_run|get|schedule|unschedule)_\w+)\(/g,
        ),
      ].map(([, name = '']) => ({ file, name })),
    );
    expect(called.filter(({ name }) => !known.has(name)).map(({ file, name }) => `${file}: ${name}`)).toEqual(
      [],
    );
  });

  test('npm scripts, commands of the bin and options of npm run migrate', async () => {
    const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
    const help = await execute(process.execPath, [path.join(root, 'scripts/migrate.ts'), '--help']);
    const options = new Set(help.stdout.match(/--[a-z-]+/g));
    const missing: string[] = [];
    for (const { file, text } of pages) {
      for (const [, name = ''] of text.matchAll(/npm run ([\w:]+)/g)) {
        if (!(name in scripts)) missing.push(`${file}: npm run ${name}`);
      }
      for (const [, name = ''] of text.matchAll(/(?:npx --no imago|npm run imago --) ([a-z][a-z-]*)/g)) {
        if (name !== 'help' && !entries.some((entry) => entry.name === name))
          missing.push(`${file}: imago ${name}`);
      }
      for (const [line] of text.matchAll(/npm run migrate -- .*$/gm)) {
        for (const option of line.replace(/[`#].*$/, '').match(/--[a-z]+[a-z-]*/g) ?? []) {
          if (!options.has(option)) missing.push(`${file}: ${option}`);
        }
      }
    }
    expect(missing).toEqual([]);
  });

  test('tests, by file and title', async () => {
    const missing = [];
    for (const { file, prose } of pages) {
      for (const line of prose.split('\n')) {
        const named = [...line.matchAll(/`(tests\/[\w/-]+\.test\.ts)`/g)].map(([, name = '']) => name);
        const titles = [...line.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title);
        if (named.length === 0 || titles.length === 0) continue;
        const sources = await Promise.all(
          named.map((name) => readFile(path.join(root, name), 'utf8').catch(() => '')),
        );
        for (const title of titles) {
          if (!sources.some((source) => source.replaceAll("\\'", "'").includes(title))) {
            missing.push(`${file}: ${named.join(', ')}: ${title}`);
          }
        }
      }
    }
    expect(missing).toEqual([]);
  });
});

test('.ci/run is executable', async () => {
  await access(path.join(root, '.ci/run'), constants.X_OK);
});
