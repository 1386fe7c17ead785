/** The server that is tortured, and the ways to it. */
import postgres, { type Options, type Sql } from 'postgres';
import { type Pooler, startPooler } from '../../bench/foreground/pooler.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { startWire, type Wire } from './wire.ts';

/** How somebody reaches the server. */
export type Way = 'callers' | 'writers' | 'pooler';

export interface Machine {
  /** The network of the callers, the pooler's among them, and that of the writers. */
  wires: Record<'callers' | 'writers', Wire>;
  hasPooler: boolean;
  url(way: Way | 'direct', database: string, role?: 'postgres' | 'supabase_admin'): string;
  connect(way: Way | 'direct', database: string, name: string, role?: 'postgres' | 'supabase_admin'): Sql;
  /** Ends the server as the machine's failure does, and starts it again. */
  crash(): Promise<void>;
  remove(): Promise<void>;
}

/** What the errors of a connection that was lost have as their code. */
export const lost = /^(57P0[123]|08\w{3}|CONNECTION_\w+|CONNECT_TIMEOUT|ECONN\w+|EPIPE)$/;

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? '');
}

export async function startMachine(): Promise<Machine> {
  const cluster: TestCluster = await testCluster();
  const wires = {
    callers: await startWire(() => cluster.port),
    writers: await startWire(() => cluster.port),
    direct: await startWire(() => cluster.port),
  };
  const urlAt = (port: number, database: string, role: string) =>
    `postgresql://${role}:${cluster.password}@127.0.0.1:${port}/${database}`;
  const pooler: Pooler | undefined = await startPooler(urlAt(wires.callers.port, 'postgres', 'postgres'), {
    server_login_retry: '1',
  });
  const machine: Machine = {
    wires,
    hasPooler: pooler !== undefined,
    url(way, database, role = 'postgres') {
      const url = urlAt(wires[way === 'pooler' ? 'callers' : way].port, database, role);
      return way === 'pooler' && pooler ? pooler.url(url) : url;
    },
    connect(way, database, application_name, role = 'postgres') {
      const options: Options<Record<string, never>> = {
        max: 1,
        onnotice: () => {},
        // A query of the client library's own would fail, unseen, when its session is killed early.
        fetch_types: false,
        prepare: false,
        backoff: () => 0.02,
        connection: { application_name },
      };
      return postgres(machine.url(way, database, role), options);
    },
    async crash() {
      for (const wire of Object.values(wires)) wire.down = true;
      await cluster.crash();
      await cluster.restart();
      for (const wire of Object.values(wires)) wire.down = false;
    },
    async remove() {
      await pooler?.end();
      await Promise.all(Object.values(wires).map((wire) => wire.close()));
      await cluster.remove();
    },
  };
  return machine;
}
