/** Whose account runs the server of a cluster, and where that account can reach what it needs. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';

/** The account that runs the server when we are root, which PostgreSQL refuses to run as. */
const UNPRIVILEGED = 'nobody';

/** Where root keeps what that account must reach, when the project's folder is closed to it (as /root is). */
export const ROOT_HOME = '/var/lib/imago';

export interface Account {
  uid: number;
  gid: number;
}

/** Who runs the server of a folder when we are root: the owner of its data, else an account of no rights. */
export function serverAccount(folder: string): Account | undefined {
  if (userInfo().uid !== 0) return undefined;
  const data = statSync(path.join(folder, 'data'), { throwIfNoEntry: false });
  if (data && data.uid !== 0) return { uid: data.uid, gid: data.gid };
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[0] === UNPRIVILEGED);
  const uid = Number(entry?.[2]);
  const gid = Number(entry?.[3]);
  if (!Number.isInteger(uid) || !Number.isInteger(gid)) {
    throw new Error(
      `PostgreSQL does not run as root, and this machine has no account "${UNPRIVILEGED}" to run it as: run the command as an ordinary user`,
    );
  }
  return { uid, gid };
}

/** Whether an account may walk to a folder; parts that do not exist yet are created open. */
export function reachable(folder: string, account: Account): boolean {
  for (let at = path.dirname(folder); ; at = path.dirname(at)) {
    const info = statSync(at, { throwIfNoEntry: false });
    if (info) {
      const bit = info.uid === account.uid ? 0o100 : info.gid === account.gid ? 0o010 : 0o001;
      if ((info.mode & bit) === 0) return false;
    }
    if (at === path.dirname(at)) return true;
  }
}

/** Where the cluster of a folder keeps its files: there, or where the server's account can reach them. */
export function homeOf(folder: string): string {
  const wanted = path.resolve(folder);
  const account = serverAccount(wanted);
  if (!account || reachable(wanted, account)) return wanted;
  return path.join(ROOT_HOME, createHash('sha256').update(wanted).digest('hex').slice(0, 16));
}
