/** Signing in to a project by Supabase Auth, with what three requests need and no more. */
import { signal } from '@preact/signals';
import { z } from 'zod';

const session = z.object({
  url: z.string(),
  key: z.string(),
  email: z.string(),
  access: z.string(),
  refresh: z.string(),
  /** By the clock of this machine, in milliseconds. */
  expiresAt: z.number(),
});
export type Session = z.output<typeof session>;

/** Kept for this tab, and gone with it. */
const sessionName = 'imago-session';
/** The address and the publishable key of the project, which are no secret. */
const projectName = 'imago-project';

export const signedIn = signal<Session | undefined>(restored());

/** Why nobody is signed in any more, for the form. */
export const signInProblem = signal('');

function restored(): Session | undefined {
  const kept = sessionStorage.getItem(sessionName);
  return kept === null ? undefined : session.safeParse(JSON.parse(kept)).data;
}

/** What the form begins with: the address behind the # (`#url=…&key=…`), or that of last time. */
export function knownProject(): { url: string; key: string } {
  const given = new URLSearchParams(location.hash.slice(1));
  const kept = new URLSearchParams(localStorage.getItem(projectName) ?? '');
  const of = (name: string): string => given.get(name) ?? kept.get(name) ?? '';
  return { url: of('url'), key: of('key') };
}

const granted = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  expires_in: z.number(),
  user: z.object({ email: z.string().nullish() }),
});

/** Signs in. Gives what went wrong, in words; empty when nothing did. */
export async function signIn(url: string, key: string, email: string, password: string): Promise<string> {
  const address = URL.parse(url.trim());
  const isSafe = address?.protocol === 'https:' || /^(127\.|localhost$)/.test(address?.hostname ?? '');
  if (!address || !isSafe) return 'The project URL looks like https://<ref>.supabase.co.';
  if (/^sb_secret_/.test(key.trim()))
    return 'This is a secret key. It must not come into a browser: use the publishable key (sb_publishable_…).';
  const project = { url: address.origin, key: key.trim() };
  const problem = await grant(project, 'password', { email: email.trim(), password });
  if (problem === '') localStorage.setItem(projectName, String(new URLSearchParams(project)));
  return problem;
}

export function signOut(why = ''): void {
  sessionStorage.removeItem(sessionName);
  signInProblem.value = why;
  signedIn.value = undefined;
}

/** A token that is good for a while yet. */
export async function accessToken(): Promise<string> {
  const now = signedIn.value;
  if (now && now.expiresAt - Date.now() < 60_000) {
    renewing ??= grant(now, 'refresh_token', { refresh_token: now.refresh }).finally(() => {
      renewing = undefined;
    });
    const problem = await renewing;
    // Without a network the next request says so.
    if (problem !== '' && navigator.onLine) signOut('You have been signed out: sign in again.');
  }
  return signedIn.value?.access ?? '';
}

let renewing: Promise<string> | undefined;

async function grant(
  { url, key }: { url: string; key: string },
  type: 'password' | 'refresh_token',
  body: object,
): Promise<string> {
  let response: Response;
  try {
    response = await fetch(`${url}/auth/v1/token?grant_type=${type}`, {
      method: 'POST',
      headers: { apikey: key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
  } catch {
    return 'The project does not answer: check its URL and the network.';
  }
  const answer = granted.safeParse(await response.json().catch(() => undefined));
  if (!answer.success) {
    return response.status === 400 || response.status === 401
      ? 'Not signed in: check the e-mail address, the password and the publishable key.'
      : `Not signed in: the project answered HTTP ${response.status}.`;
  }
  const { access_token: access, refresh_token: refresh, expires_in, user } = answer.data;
  const next = {
    url,
    key,
    email: user.email ?? '',
    access,
    refresh,
    expiresAt: Date.now() + expires_in * 1000,
  };
  sessionStorage.setItem(sessionName, JSON.stringify(next));
  signInProblem.value = '';
  signedIn.value = next;
  return '';
}
