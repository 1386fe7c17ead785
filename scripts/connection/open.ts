/** Opens the databases that a URL of the user's names; nothing else in scripts/ hands such a URL to the driver. */
import { Socket } from 'node:net';
import postgres, { type Options, type Sql } from 'postgres';
import { CallError } from '../call-error.ts';
import { type DatabaseAddress, readDatabaseUrl, weakness } from './address.ts';
import { openSocket } from './socket.ts';

export interface Opening {
  /** What the session is told, like lock_timeout; what the URL says goes before it. */
  settings?: Record<string, string | number>;
  /** Where a URL that makes a connection less safe is told of, before there is one; once a process. */
  warn: (line: string) => void;
  /** A notification has come on a channel that the session listens to. */
  heard?: () => void;
  /** Whether anything that is asked takes or gives arrays: their types are looked up first, which a short connection notices. */
  hasArrays?: boolean;
}

const warned = new Set<string>();

/** One connection, made when it is first asked something. */
export function openDatabase(url: string, { settings, warn, heard, hasArrays = true }: Opening): Sql {
  const address = readDatabaseUrl(url, { name: 'The database URL' });
  const weak = weakness(address);
  if (weak !== undefined && !warned.has(weak)) {
    warned.add(weak);
    warn(weak);
  }
  const sockets = new Set<Socket>();
  const { host, port, user, password, database, connectSeconds } = address;
  // As options and not as a URL, which the driver would read in its own way. Its types do not know `socket` and `onnotify`.
  const options: Options<Record<string, never>> & {
    socket: () => Promise<Socket>;
    onnotify?: () => void;
  } = {
    host,
    port,
    user,
    ...(password !== undefined && { password }),
    database,
    ssl: false,
    max: 1,
    connect_timeout: connectSeconds,
    onnotice: () => {},
    fetch_types: hasArrays,
    ...(heard && { onnotify: heard }),
    connection: { application_name: 'imago', ...settings, ...address.settings },
    socket: keepingCount(address, sockets),
  };
  const sql = postgres(options);
  const end = sql.end;
  return Object.assign(sql, {
    async end(how?: { timeout?: number }) {
      await end(how);
      // A server that answers nothing does not hang up either, and the process would wait for it.
      for (const socket of sockets) socket.destroy();
    },
  });
}

/** So many connections within so long, and no answer: the driver would go on for ever where a server hangs up at once. */
const most = 5;
const withinMs = 10_000;

function keepingCount(address: DatabaseAddress, sockets: Set<Socket>): () => Promise<Socket> {
  const times: number[] = [];
  const open = async () => {
    // One that was refused is no answer that hangs up.
    const earlier = times.at(-most);
    if (earlier !== undefined && performance.now() - earlier < withinMs) {
      throw new CallError({
        code: 'NETWORK',
        message: `What answers at ${address.host}:${address.port} hangs up at once, again and again.`,
        hint: 'Look at host and port of the database URL, and at the log of the server.',
      });
    }
    const socket = await openSocket(address);
    if (times.push(performance.now()) > most) times.shift();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  return () => open().catch(broken);
}

/**
 * A socket in the place of one that could not be made. A connection whose making has thrown the driver keeps for one that is being
 * made, and all later questions wait for it. One that is there and breaks it makes again with the next question; it breaks before
 * anything is written, for the driver would keep that, too.
 */
function broken(error: unknown): Socket {
  const socket = new Socket();
  socket.setKeepAlive = () => {
    setImmediate(() => socket.destroy());
    throw error;
  };
  return socket;
}

/** So long a question waits that reads next to nothing. */
const longestAnswerMs = 30_000;

/** The answer to a short question, or an error when there is none for too long: end the connection then. */
export async function answerTo<Answer>(question: PromiseLike<Answer>): Promise<Answer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new CallError({
        code: 'TIMEOUT',
        message: `The database did not answer within ${longestAnswerMs / 1000} s.`,
        hint: 'Look at host and port of the database URL, and at the log of the server.',
      }),
    );
  }, longestAnswerMs);
  try {
    return await Promise.race([question, late]);
  } finally {
    clearTimeout(timer);
  }
}
