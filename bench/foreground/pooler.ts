/** pgbouncer in transaction mode in front of a server, as Supabase's pooler is. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { serverAccount } from '../../scripts/embedded/account.ts';
import { freePort } from '../../scripts/embedded/loopback.ts';

export interface Pooler {
  /** The same database, by way of the pooler. */
  url(databaseUrl: string): string;
  end(): Promise<void>;
}

const startupMs = 10_000;

/** Starts pgbouncer, which Debian has as a package of that name; undefined where it is not installed. */
export async function startPooler(
  databaseUrl: string,
  settings: Record<string, string> = {},
): Promise<Pooler | undefined> {
  const found = await promisify(execFile)('pgbouncer', ['--version']).then(
    () => true,
    () => false,
  );
  if (!found) return undefined;
  const { hostname, port, username, password } = new URL(databaseUrl);
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-pooler-'));
  await chmod(folder, 0o755);
  const own = await freePort();
  const file = path.join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${port} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
default_pool_size = 20
${Object.entries(settings)
  .map((setting) => setting.join(' = '))
  .join('\n')}
`,
  );
  // It refuses to run as root, as PostgreSQL does.
  const child = spawn('pgbouncer', ['--quiet', file], { stdio: 'ignore', ...serverAccount(folder) });
  const url = (of: string) => {
    const pooled = new URL(of);
    pooled.port = String(own);
    return pooled.href;
  };
  await reach(own);
  return {
    url,
    async end() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A session would keep its database from being copied, so it is only knocked at. */
async function reach(port: number): Promise<void> {
  const until = performance.now() + startupMs;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await delay(50);
    } finally {
      socket.destroy();
    }
  }
}
