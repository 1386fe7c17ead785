/** The supabase CLI that comes with this package. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { undirected } from './connection/children.ts';

export interface CliResult {
  code: number | null;
  /** stdout and stderr, without the CLI's remarks on the connection and on itself. */
  output: string;
}

/** Runs it in a project's folder, with a file of the passwords that it needs. */
export async function runCli(
  folder: string,
  args: readonly string[],
  passwords?: string,
): Promise<CliResult> {
  // The package's own file and not .bin/supabase, which npx and workspaces put elsewhere.
  const bin = path.join(
    path.dirname(createRequire(import.meta.url).resolve('supabase/package.json')),
    'dist/supabase.js',
  );
  // One of the environment would go before the file.
  const { PGPASSWORD: other, ...surroundings } = undirected(process.env);
  const login = passwords === undefined ? { PGPASSWORD: other } : { PGPASSFILE: passwords };
  const child = spawn(process.execPath, [bin, '--workdir', folder, ...args], {
    env: {
      ...surroundings,
      ...login,
      SUPABASE_TELEMETRY_DISABLED: '1',
      DO_NOT_TRACK: '1',
      NO_COLOR: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: string[] = [];
  child.stdout.on('data', (chunk) => chunks.push(String(chunk)));
  child.stderr.on('data', (chunk) => chunks.push(String(chunk)));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output: essence(chunks.join('')) }));
  });
}

function essence(output: string): string {
  const remark =
    /^(Target:|│|▲|Confirmed by|Try rerunning|A new version|We recommend|Connected to|● {2}Request pg-delta support)/;
  return output
    .split('\n')
    .filter((line) => line.trim() !== '' && !remark.test(line))
    .join('\n');
}
