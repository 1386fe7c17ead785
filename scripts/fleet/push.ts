/** `fleet push` on one member: supabase db push of the project in which the worker runs, and of Imago. */
import type { Terminal } from '../command/terminal.ts';
import { findProject, typedIn } from '../db/project.ts';
import { pendingMigrations, pushMigrations } from '../embedded/push.ts';
import type { ReachedMember } from './member.ts';
import type { Outcome } from './outcome.ts';

/** Applies what is pending. Nothing is started where nothing is. */
export async function pushMember({ sql, databaseUrl }: ReachedMember, terminal: Terminal): Promise<Outcome> {
  if (!sql || databaseUrl === undefined) {
    return {
      state: 'skipped',
      code: 'NO_DATABASE_URL',
      reason: 'it is reached by its API, and a push needs a database connection',
      hint: 'Add it by its database URL: imago fleet add NAME --database-url-env VARIABLE',
    };
  }
  const project = findProject(typedIn());
  const pending = await pendingMigrations(sql, project);
  if (pending.length === 0) return { state: 'succeeded', reason: 'nothing was pending' };
  try {
    await pushMigrations(databaseUrl, project);
    return { state: 'succeeded', moved: pending.length };
  } catch (error) {
    // What the CLI says may quote rows: it is for the log of the worker's machine alone, and only where that is asked for.
    const { message } = error as Error;
    terminal.debug(message.replaceAll(databaseUrl, 'the database'));
    const sqlState = /SQLSTATE[: ]+([0-9A-Z]{5})/.exec(message)?.[1];
    return {
      state: 'failed',
      code: sqlState ?? 'PUSH',
      reason: `supabase db push failed${sqlState ? ` with SQLSTATE ${sqlState}` : ''}; what came before the failing migration stays`,
      hint: 'See more: MIGRATION_LOG_LEVEL=debug imago fleet worker, or supabase db push by hand. Then: imago fleet retry',
    };
  }
}
