/** The project that the user is in, for an embedded database that is new. */
import { packageFolder, userFolder } from '../package.ts';
import { hasMigrations } from './push.ts';

/** The project that Imago is installed in, where it has migrations of its own; none in a clone of Imago. */
export async function projectHere(): Promise<{ folder: string; isAsked: boolean } | undefined> {
  const own = userFolder();
  if (own === packageFolder) return undefined;
  return (await hasMigrations(own)) ? { folder: own, isAsked: false } : undefined;
}
