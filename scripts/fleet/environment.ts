/** What the commands of the fleet read of the environment and of `.env`. */

import { z } from 'zod';
import { type Environment, readEnvironment, readVariables, text } from '../command/environment.ts';
import { UsageError } from '../command/usage.ts';
import { checkedDatabaseUrl, readDatabaseUrl } from '../connection/address.ts';

const fleetSchema = z.object({
  FLEET_DATABASE_URL: text,
  SUPABASE_ACCESS_TOKEN: text,
  SUPABASE_API_URL: text,
});

export type FleetEnvironment = Environment & z.output<typeof fleetSchema>;

export function readFleetEnvironment(): FleetEnvironment {
  return { ...readEnvironment(), ...readVariables(fleetSchema, process.env, '.env') };
}

/** The port on which Supabase's pooler hands each transaction to another session. */
export const transactionPort = 6543;

/** The control database, with what protects its URL said in it. */
export function controlUrl({ FLEET_DATABASE_URL: url, PGSSLROOTCERT: roots }: FleetEnvironment): string {
  if (url === undefined) {
    throw new UsageError(
      'FLEET_DATABASE_URL is not set: it names the control database of the fleet.',
      'Set it to a PostgreSQL of yours, a Supabase project too (direct connection or session pooler). To try a fleet here: npm run fleet:demo',
    );
  }
  const reading = { name: 'FLEET_DATABASE_URL', roots };
  if (readDatabaseUrl(url, reading).port === transactionPort) {
    throw new UsageError(
      `FLEET_DATABASE_URL leads to a pooler of transactions (port ${transactionPort}), where no session stays.`,
      'Use the direct connection or the session pooler, port 5432.',
    );
  }
  return checkedDatabaseUrl(url, reading);
}
