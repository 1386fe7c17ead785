/** What a command works with on its target: the address, the calls, and how many there were. */
import { connect } from '../client.ts';
import { Caller, type ViaFunction } from './caller.ts';
import { type Reached, reach } from './reach.ts';
import type { Desk } from './shell.ts';
import type { EmbeddedTarget, ProjectTarget } from './target.ts';

export interface Session {
  target: { kind: 'embedded' | 'project'; url: string };
  reached: Reached;
  caller: Caller;
}

/** What the result of a command tells of its calls. */
export interface Traffic {
  target?: Session['target'];
  calls: number;
  retries: number;
  lostReplies: number;
}

/** Reaches the target; the shell lets go of it. */
export async function openSession(
  desk: Desk,
  target: ProjectTarget | EmbeddedTarget,
  options: { verbose: boolean; sample?: number; reset?: boolean },
  through?: (url: string, secretKey: string) => ViaFunction,
): Promise<Session> {
  const { terminal } = desk;
  const reached = await reach(target, terminal, options);
  desk.atEnd(() => reached.release());
  const { url, secretKey } = reached;
  const caller = new Caller(connect(url, secretKey), terminal, options.verbose, through?.(url, secretKey));
  return { target: { kind: target.kind, url }, reached, caller };
}

/** The calls of a session; none where the target was never reached. */
export function trafficOf(session: Session | undefined): Traffic {
  if (!session) return { calls: 0, retries: 0, lostReplies: 0 };
  const { calls, retries, lostReplies } = session.caller;
  return { target: session.target, calls, retries, lostReplies };
}
