/** A fleet in the middle of a rollout, for the pictures of the dashboard: most of a wave done, one that is slow, one that failed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Terminal } from '../command/terminal.ts';
import { openDatabase } from '../connection/open.ts';
import { removeCluster, startCluster } from '../embedded/cluster.ts';
import { openControl } from '../fleet/control.ts';
import { makeTenants } from '../fleet/demo.ts';
import { addMembers } from '../fleet/members.ts';
import { newMember } from '../fleet/new-member.ts';
import { startRollout } from '../fleet/rollout.ts';
import { installFleet } from '../fleet/schema.ts';
import { work } from '../fleet/worker.ts';

export interface PicturedFleet {
  controlUrl: string;
  /** What the page says once all of it can be seen. */
  says: string[];
  close(): Promise<void>;
}

const members = 24;

export async function openPicturedFleet(): Promise<PicturedFleet> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-pictured-fleet-'));
  const cluster = await startCluster({ folder, settings: { max_connections: '200', fsync: 'off' } });
  const terminal = new Terminal('warn');
  const names = await makeTenants(cluster, { members, users: 200 }, { terminal });
  const controlUrl = cluster.url('postgres', 'control');
  const control = openControl(controlUrl, console.error);
  await installFleet(control);
  const place = (name: string): string => `PICTURED_${name.toUpperCase()}`;
  const canaries = names.slice(0, 2);
  for (const name of names) process.env[place(name)] = cluster.url('postgres', name);
  await addMembers(
    control,
    names.map((name) =>
      newMember(name, { databaseUrlEnv: place(name), ...(canaries.includes(name) && { wave: 'canary' }) }),
    ),
    true,
  );
  const { rollout } = await startRollout(control, {
    kind: 'migrate',
    plan: 'avatars',
    waves: ['canary', '50%', '100%'],
    members: [],
    labels: [],
    perServer: undefined,
    stopPercent: 20,
    soakSeconds: 0,
    tries: 1,
    run: {},
  });
  const second = await control<{ member: string }[]>`
    select member from imago_fleet.rollout_member where rollout = ${rollout} and wave = 2 order by member limit 2`;
  const [lost = '', locked = ''] = second.map(({ member }) => member);
  delete process.env[place(lost)];
  const holder = openDatabase(cluster.url('postgres', locked), { warn: console.error });
  await holder`begin`;
  await holder`lock table public.users in access exclusive mode`;
  const ended = new AbortController();
  const { signal } = ended;
  const working = ['worker-eu-1', 'worker-eu-2'].map((name) =>
    work({ controlUrl, slots: 4, name, terminal, signal }),
  );
  return {
    controlUrl,
    says: [`${members / 2 - 2} succeeded`, '1 at work', 'SECRET'],
    async close() {
      ended.abort();
      await holder.end({ timeout: 0 });
      await Promise.allSettled(working);
      await control.end();
      await cluster.stop('immediate');
      await removeCluster(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
