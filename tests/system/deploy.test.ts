import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { projectFolder } from '../../scripts/embedded/push.ts';
import { type ManagementApi, startManagementApi } from '../support/management-api.ts';

const TOKEN = `sbp_${'0'.repeat(40)}`;

/** All functions of the project: folders with an entry. */
async function functionNames(): Promise<string[]> {
  const entries = await readdir(path.join(projectFolder, 'functions'), { recursive: true });
  return entries
    .filter((file) => path.basename(file) === 'index.ts')
    .map((file) => path.dirname(file))
    .sort();
}

/** What functions of a project's own import. */
const forOthers = ['functions/_shared/external-driving.ts', 'functions/_shared/external.ts'];

/** Every other file below the functions folder, as the CLI names it. */
async function functionFiles(): Promise<string[]> {
  const entries = await readdir(path.join(projectFolder, 'functions'), {
    recursive: true,
    withFileTypes: true,
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(projectFolder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !forOthers.includes(file))
    .sort();
}

const graphSchema = z.object({
  modules: z.array(
    z.looseObject({
      specifier: z.string(),
      error: z.string().optional(),
      dependencies: z.array(z.looseObject({ specifier: z.string() })).default([]),
    }),
  ),
});

/** What an entry imports, directly or not, as Deno sees it. */
async function importsOf(
  folder: string,
  entry: string,
  importMap: string,
): Promise<z.output<typeof graphSchema>> {
  const deno = createRequire(import.meta.url)('deno/install_api.cjs').runInstall();
  const flags = ['--json', '--no-remote', '--no-lock', '--node-modules-dir=manual', `--config=${importMap}`];
  return graphSchema.parse(JSON.parse((await run(deno, ['info', ...flags, entry], folder)).stdout));
}

async function run(file: string, args: string[], cwd: string, env: Record<string, string> = {}) {
  return await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(file, args, { cwd, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

describe('supabase functions deploy', () => {
  let api: ManagementApi;
  let copy: string;
  let scratch: string;
  let result: Awaited<ReturnType<typeof run>>;

  const deploy = async () => {
    const cli = path.join(
      path.dirname(createRequire(import.meta.url).resolve('supabase/package.json')),
      'dist/supabase.js',
    );
    const args = ['functions', 'deploy', '--use-api', '--yes', '--remote=abcdefghijklmnopqrst'];
    return await run(
      process.execPath,
      [cli, `--profile=${path.join(scratch, 'profile.yaml')}`, ...args],
      copy,
      {
        // Nothing of the tester's own login may be used, or changed.
        HOME: scratch,
        SUPABASE_HOME: scratch,
        SUPABASE_ACCESS_TOKEN: TOKEN,
        SUPABASE_TELEMETRY_DISABLED: '1',
        DO_NOT_TRACK: '1',
        NO_COLOR: '1',
      },
    );
  };

  beforeAll(async () => {
    api = await startManagementApi();
    scratch = await mkdtemp(path.join(tmpdir(), 'imago-deploy-'));
    copy = path.join(scratch, 'project');
    for (const name of ['functions', 'supabase', 'package.json']) {
      await cp(path.join(projectFolder, name), path.join(copy, name), { recursive: true });
    }
    await writeFile(
      path.join(scratch, 'profile.yaml'),
      `name: test\napi_url: ${api.url}\ndashboard_url: ${api.url}\nproject_host: supabase.test\n`,
    );
    result = await deploy();
  });
  afterAll(async () => {
    await api.close();
    await rm(scratch, { recursive: true, force: true });
  });

  test('deploys every function, with the given token', async () => {
    expect(result.code, result.stderr + result.stdout).toBe(0);
    expect([...api.uploads.keys()].sort()).toEqual(await functionNames());
    expect([...api.deployed].sort()).toEqual(await functionNames());
    expect([...api.tokens]).toEqual([TOKEN]);
  });

  test('of each, sends the entry and the import map that config.toml names, and leaves the check to the function', () => {
    for (const [name, { metadata, files }] of api.uploads) {
      expect(metadata).toMatchObject({
        entrypoint_path: `functions/${name}/index.ts`,
        import_map_path: `functions/${name}/deno.json`,
        verify_jwt: false,
      });
      expect([...files.keys()]).toEqual(
        expect.arrayContaining([metadata.entrypoint_path, metadata.import_map_path]),
      );
    }
  });

  test('sends the files as they are, and between all functions every one that there is', async () => {
    const sent = new Map([...api.uploads.values()].flatMap(({ files }) => [...files]));
    expect([...sent.keys()].sort()).toEqual(await functionFiles());
    for (const [file, text] of sent) {
      expect(text, file).toBe(await readFile(path.join(projectFolder, file), 'utf8'));
    }
  });

  test('what was sent is complete: Deno finds every import in it, each package through the import map', async () => {
    for (const [name, { metadata, files }] of api.uploads) {
      const folder = path.join(scratch, 'uploaded', name);
      for (const [file, text] of files) {
        await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
        await writeFile(path.join(folder, file), text);
      }
      await symlink(path.join(projectFolder, 'node_modules'), path.join(folder, 'node_modules'));
      const { modules } = await importsOf(folder, metadata.entrypoint_path, metadata.import_map_path);
      expect(modules.filter(({ error }) => error)).toEqual([]);

      const { imports } = JSON.parse(files.get(metadata.import_map_path) ?? '');
      const packages = modules.flatMap(({ dependencies }) =>
        dependencies.map(({ specifier }) => specifier).filter((specifier) => !/^\.{1,2}\//.test(specifier)),
      );
      expect([...new Set(packages)].sort(), name).toEqual(Object.keys(imports).sort());
    }
  });

  test('a function that cannot be uploaded is named, and the exit code says so', async () => {
    api.refuse = { name: 'rollback', status: 400 };
    const refused = await deploy();
    api.refuse = undefined;
    expect(refused.code).toBe(1);
    expect(refused.stderr + refused.stdout).toContain('rollback');
  });
});

test('the import maps name the versions that are tested here', async () => {
  const { dependencies } = JSON.parse(await readFile(path.join(projectFolder, 'package.json'), 'utf8'));
  for (const name of await functionNames()) {
    const file = path.join(projectFolder, 'functions', name, 'deno.json');
    const { imports } = JSON.parse(await readFile(file, 'utf8'));
    for (const [specifier, target] of Object.entries<string>(imports)) {
      const [, npmName = '', version] = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(target) ?? [];
      expect({ specifier, version }).toEqual({ specifier, version: dependencies[npmName] });
    }
  }
});
