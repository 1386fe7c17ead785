/** `fleet init`: makes the schema of the fleet in the control database, from the files of sql/fleet. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Sql } from 'postgres';
import { CallError } from '../client.ts';
import { packageFolder } from '../package.ts';
import { expectFleet, explained, fleetVersion, jobsSchema, knownFleet } from './control.ts';
import { installQueue } from './queue.ts';

const folder = path.join(packageFolder, 'sql', 'fleet');

/** In the order in which they refer to each other. */
const tables = ['version', 'member', 'worker', 'rollout', 'wave', 'rollout_member', 'event'];

/** The files, in order; each can be run again. */
function sources(): string[] {
  const functions = readdirSync(path.join(folder, 'functions')).sort();
  const files = [
    'schema.sql',
    ...tables.map((name) => `tables/${name}.sql`),
    ...functions.map((name) => `functions/${name}`),
    'rights.sql',
  ];
  return files.map((file) => readFileSync(path.join(folder, file), 'utf8'));
}

const oldestPostgres = 150_000;

/** Makes it, or brings it to this version. Says whether it was there already. */
export async function installFleet(sql: Sql): Promise<{ version: number; wasThere: boolean }> {
  const before = await fleetVersion(sql);
  if (before !== undefined && before > knownFleet) await expectFleet(sql);
  try {
    const [server] = await sql<{ number: number }[]>`
      select current_setting('server_version_num')::integer as number`;
    if ((server?.number ?? 0) < oldestPostgres) {
      throw new CallError({
        code: 'POSTGRES',
        message: 'The control database is older than PostgreSQL 15.',
        hint: 'Name another one in FLEET_DATABASE_URL.',
      });
    }
    await sql.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtextextended('imago_fleet init', 0))`;
      // Functions name tables and functions that come later.
      await tx`set local check_function_bodies = off`;
      for (const source of sources()) await tx.unsafe(source);
      await tx`delete from imago_fleet.version`;
      await tx`insert into imago_fleet.version (version) values (${knownFleet})`;
    });
    await installQueue(sql);
    for (const role of ['public', 'anon', 'authenticated', 'service_role']) {
      const [known] = await sql`select from pg_roles where rolname = ${role}`;
      if (known || role === 'public') await sql.unsafe(`revoke all on schema ${jobsSchema} from ${role}`);
    }
  } catch (error) {
    throw explained(error);
  }
  return { version: knownFleet, wasThere: before !== undefined };
}
