/** A streaming replica of a test server: a copy of its files that follows it. */
import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Sql } from 'postgres';
import { homeOf } from '../../scripts/embedded/account.ts';
import { connect, removeCluster, startCluster } from '../../scripts/embedded/cluster.ts';
import type { PostgresVersion } from '../../scripts/embedded/native.ts';
import type { TestCluster } from './cluster.ts';
import { roomiestFolder } from './cluster-folders.ts';

export interface Standby {
  /** A superuser on it: it can read, pause and resume. */
  sql: Sql;
  /** Ends it without a word, as a crash or the machine's failure does. */
  crash(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a replica of that name; the server must have kept nothing from it so far. */
export async function startStandby(
  primary: TestCluster,
  version: PostgresVersion,
  name: string,
): Promise<Standby> {
  const folder = await mkdtemp(path.join(await roomiestFolder(), `imago-test-${process.pid}-`));
  const url = (role = 'postgres', database = 'postgres') =>
    `postgresql://${role}:${primary.password}@127.0.0.1:${primary.port}/${database}`;
  const remove = async () => {
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await copyFiles(url, homeOf(folder));
    const cluster = await startCluster({
      folder,
      version,
      settings: {
        fsync: 'off',
        max_connections: '200',
        shared_buffers: '128MB',
        primary_conninfo: `host=127.0.0.1 port=${primary.port} user=supabase_admin password=${primary.password} application_name=${name}`,
      },
    });
    const sql = connect(cluster, 'supabase_admin');
    const crash = async () => {
      await sql.end({ timeout: 0 });
      await cluster.stop('immediate');
    };
    return {
      sql,
      crash,
      async remove() {
        await crash();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Copies the files of a running server, as a base backup does, and marks them as those of a replica. */
async function copyFiles(url: () => string, home: string): Promise<void> {
  const admin = connect({ url }, 'supabase_admin');
  try {
    const [source] = await admin<[{ data: string }]>`select current_setting('data_directory') as data`;
    const { uid, gid } = await stat(source.data);
    await mkdir(home, { recursive: true, mode: 0o711 });
    await admin`select pg_backup_start('standby', true)`;
    await promisify(execFile)('cp', ['-a', `${path.dirname(source.data)}/.`, home]);
    const [label] = await admin<[{ text: string }]>`select labelfile as text from pg_backup_stop(false)`;
    const data = path.join(home, 'data');
    await rm(path.join(data, 'postmaster.pid'), { force: true });
    for (const [file, text] of [
      ['backup_label', label.text],
      ['standby.signal', ''],
    ] as const) {
      await writeFile(path.join(data, file), text, { mode: 0o600 });
      await chown(path.join(data, file), uid, gid);
    }
  } finally {
    await admin.end();
  }
}
