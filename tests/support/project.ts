/** Somebody's Supabase project on disk, with a history of its own. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { parseOptions } from '../../scripts/install/options.ts';
import { Problem } from '../../scripts/install/problem.ts';
import { outcome, refusal } from '../../scripts/install/report.ts';
import { install as doInstall } from '../../scripts/install/run.ts';
import { packageFolder } from '../../scripts/package.ts';
import { runCli } from '../../scripts/supabase-cli.ts';
import { type Finished, runCommand } from './command.ts';

export const configText = `# The shop's own
project_id = "shop" # stays

[db]
major_version = 17

[functions.hello]
verify_jwt = true
`;

/** A folder with these files, gone with the test. */
export async function projectFolder(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-project-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const all = {
    'supabase/config.toml': configText,
    'supabase/migrations/20250101000000_things.sql': 'create table public.things (id integer primary key);\n',
    'supabase/functions/hello/index.ts': "export default { fetch: () => new Response('hello') };\n",
    ...files,
  };
  for (const [file, text] of Object.entries(all)) await put(folder, file, text);
  return folder;
}

export async function put(folder: string, file: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
  await writeFile(path.join(folder, file), text);
}

/** Every file of a folder with its text. */
export async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    files.map(async (file) => [path.relative(folder, file), await readFile(file, 'utf8')] as const),
  );
  // What the CLI keeps for itself.
  return Object.fromEntries(texts.filter(([file]) => !file.includes('/.temp/')).sort());
}

/** Runs `imago` of this package, or of another copy of it. */
export async function imago(
  args: readonly string[],
  environment: Record<string, string> = {},
  { at = packageFolder, cwd = packageFolder }: { at?: string; cwd?: string } = {},
): Promise<Finished> {
  const script = path.relative(packageFolder, path.join(at, 'scripts', 'imago.ts'));
  return await runCommand(args, environment, { script, cwd });
}

/** What `imago install --json` says, without the process around it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at fields that differ from call to call
export async function install(folder: string, ...options: string[]): Promise<any> {
  try {
    return outcome(await doInstall(parseOptions([folder, ...options], 'imago install')));
  } catch (error) {
    if (error instanceof Problem) return refusal(error);
    throw error;
  }
}

/** Pushes the migrations of a project by the real CLI; gives what it says. */
export async function push(
  folder: string,
  databaseUrl: string,
): Promise<{ code: number | null; output: string }> {
  return await runCli(folder, ['db', 'push', `--remote=${databaseUrl}`, '--yes']);
}

/** Versions as the real CLI lists them, each in the folder and in the database. */
export async function listed(
  folder: string,
  databaseUrl: string,
): Promise<{ local: string; remote: string }[]> {
  const { output } = await runCli(folder, ['migration', 'list', `--remote=${databaseUrl}`]);
  return [...output.matchAll(/^ *`(\d{14}| )` *\| *`(\d{14}| )` *\|/gm)].map(
    ([, local = '', remote = '']) => ({
      local: local.trim(),
      remote: remote.trim(),
    }),
  );
}

/** Runs a program to its end. */
export async function execute(
  file: string,
  args: readonly string[],
  cwd: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    execFile(
      file,
      args,
      { cwd, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
