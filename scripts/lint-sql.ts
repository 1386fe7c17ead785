/** Lints supabase/migrations/*.sql by squawk, under the rules of .squawk.toml. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
// The package's own file and not .bin/squawk, which npx and workspaces put elsewhere.
const squawk = createRequire(import.meta.url).resolve('squawk-cli/js/bin/squawk');
const { status, error } = spawnSync(
  process.execPath,
  [squawk, '--config', '.squawk.toml', 'supabase/migrations/*.sql'],
  { cwd: root, stdio: 'inherit' },
);
if (error) throw error;
process.exitCode = status ?? 1;
