/** A project that the real CLI has linked, with a pooler that leads to a test database. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { expect, inject, onTestFinished } from 'vitest';
import { Authority } from './certificates.ts';
import { type Finished, runCommand } from './command.ts';
import { removeEmbedded } from './embedded.ts';
import { startManagementApi } from './management-api.ts';
import { type VersionedProject, versionedProject } from './versions.ts';

export const REF = 'abcdefghijklmnopqrst';

export interface LinkedProject extends VersionedProject {
  /** Runs `db` of the real command with --linked. */
  dbLinked(args: string[], environment?: Record<string, string>): Promise<Finished>;
  /** Runs the real CLI on the linked project. */
  cli(...args: string[]): Promise<{ code: number; output: string }>;
  /** Command lines of the CLI that Imago has called. */
  commandLines(): Promise<string>;
  host: string;
}

/** What stands before a startup message where a client asks for encryption: eight bytes. */
const SSL_REQUEST = 80877103;

/** Forwards as Supavisor does, on the port that the CLI insists on, at an address of this machine that it takes for a domain. */
async function startPooler(): Promise<{ host: string; roots: string; close(): void }> {
  const { port } = inject('cluster');
  const authority = new Authority();
  // Not for the form of the host, which is in no certificate: its URL says verify-ca.
  const certificate = authority.issue({ hosts: ['pooler.supabase.test'] });
  const sockets = new Set<Socket>();
  const forward = (from: Socket): void => {
    const to = connect(port, '127.0.0.1');
    from.once('data', (message: Buffer) => {
      to.write(withoutProject(message));
      from.pipe(to);
    });
    to.pipe(from);
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [from, to].map((each) => each.destroy()));
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (message: Buffer) => {
      const asksForTls = message.length === 8 && message.readInt32BE(4) === SSL_REQUEST;
      // Who sends a password in the clear gets no further.
      if (!asksForTls) return socket.destroy();
      socket.write('S');
      return forward(new tls.TLSSocket(socket, { isServer: true, ...certificate }));
    });
  });
  // Tests that run at the same time have addresses of their own.
  const [a, b] = [20 + ((process.pid >> 8) % 200), 1 + (process.pid % 254)];
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(5432, `127.${a}.0.${b}`, resolve);
  });
  return {
    host: `127.${a}.${b}`,
    roots: authority.cert,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** The startup message of the user whose name has the project behind it. */
function withoutProject(message: Buffer): Buffer {
  const [name, plain] = [`user\0postgres.${REF}\0`, 'user\0postgres\0'];
  const text = message.toString('latin1');
  if (!text.includes(name)) return message;
  const changed = Buffer.from(text.replace(name, plain), 'latin1');
  changed.writeInt32BE(changed.length, 0);
  return changed;
}

/** Links it by `supabase link`, which asks a stand-in of the management API. */
export async function linkedProject(): Promise<LinkedProject> {
  const project = await versionedProject();
  const { folder, db } = project;
  const pooler = await startPooler();
  const api = await startManagementApi();
  api.pooler = { host: pooler.host, port: 6543, database: db.name };
  const home = await mkdtemp(path.join(folder, 'home-'));
  onTestFinished(async () => {
    pooler.close();
    await api.close();
    await removeEmbedded(path.join(home, '.imago'));
    await rm(home, { recursive: true, force: true });
  });

  const profile = path.join(home, 'profile.yaml');
  await writeFile(
    profile,
    `name: test\napi_url: ${api.url}\ndashboard_url: ${api.url}\nproject_host: supabase.test\n`,
  );
  const roots = path.join(home, 'roots.crt');
  await writeFile(roots, pooler.roots);
  const binary = path.join(
    path.dirname(
      createRequire(createRequire(import.meta.url).resolve('supabase/package.json')).resolve(
        `@supabase/cli-${process.platform}-${process.arch}/package.json`,
      ),
    ),
    'bin/supabase',
  );
  const environment = {
    // Nothing of the tester's own login may be used, or changed.
    HOME: home,
    SUPABASE_HOME: home,
    SUPABASE_ACCESS_TOKEN: `sbp_${'0'.repeat(40)}`,
    SUPABASE_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PGSSLROOTCERT: roots,
  };
  const cli = async (...args: string[]) =>
    await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(
        binary,
        [`--profile=${profile}`, '--workdir', folder, ...args],
        { env: { ...process.env, ...environment, SUPABASE_DB_PASSWORD: inject('cluster').password } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
      );
    });
  const linked = await cli('link', '--project-ref', REF);
  expect(linked.code, linked.output).toBe(0);

  const lines = path.join(home, 'command-lines');
  const spy = path.join(home, 'supabase');
  await writeFile(spy, `#!/bin/sh\nprintf '%s\\n' "$*" >> '${lines}'\nexec '${binary}' "$@"\n`);
  await chmod(spy, 0o755);
  await writeFile(lines, '');
  return {
    ...project,
    host: pooler.host,
    cli,
    dbLinked: (args, more = {}) =>
      runCommand(
        ['db', ...args, '--linked', '--workdir', folder],
        {
          SUPABASE_DB_PASSWORD: inject('cluster').password,
          IMAGO_FOLDER: path.join(home, '.imago'),
          PGSSLROOTCERT: roots,
          SUPABASE_CLI_BINARY_OVERRIDE: spy,
          ...more,
        },
        { script: 'scripts/imago.ts' },
      ),
    commandLines: () => readFile(lines, 'utf8'),
  };
}
