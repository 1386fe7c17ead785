import type { ReservedSql, Sql } from 'postgres';

/** What the driver and the system call a connection that went or did not come about. */
export const CONNECTION_LOST = /^(CONNECTION_|CONNECT_TIMEOUT$|ECONN|EPIPE$)/;

/** The server's last word on a connection: it shuts down, or has crashed. */
const SERVER_LEAVES = /^57P0[123]$/;

/**
 * Lets nobody write into a reserved connection that has ended. The driver would: on release it takes the connection for
 * an open one, and code that gets it next, or rolls back on it, waits for ever while the write ends the process
 * (github.com/porsager/postgres, issue 1208).
 */
export function reserveLiveOnly(driver: Sql): void {
  const reserve = driver.reserve;
  driver.reserve = async () => {
    const reserved = await reserve();
    const { unsafe, release } = reserved;
    let lost: unknown;
    const query = async (...args: Parameters<typeof unsafe>) => {
      if (lost) throw lost;
      try {
        return await unsafe(...args);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        if (CONNECTION_LOST.test(code) || SERVER_LEAVES.test(code)) lost = error;
        throw error;
      }
    };
    // An ended connection goes back to the pool by itself, to be opened again.
    const releaseIfLive = () => void (lost || release());
    return Object.assign(reserved, { unsafe: query, release: releaseIfLive }) as ReservedSql;
  };
}
