/** A member as somebody describes it: on the command line, or in a line of a file. */
import { z } from 'zod';
import { UsageError } from '../command/usage.ts';
import { isLoopback } from '../connection/loopback.ts';
import { secretKinds } from './secrets.ts';

export interface NewMember {
  name: string;
  kind: 'database' | 'project';
  url: string | null;
  secret_kind: (typeof secretKinds)[number];
  secret_name: string;
  labels: string[];
  wave: string | null;
  server: string | null;
}

/** What can be said of a member; the names of a file are the same, with underscores. */
export interface TypedMember {
  databaseUrlEnv?: string;
  databaseUrlFile?: string;
  databaseUrlVault?: string;
  projectUrl?: string;
  keyEnv?: string;
  keyFile?: string;
  keyVault?: string;
  label?: string[];
  wave?: string;
  server?: string;
}

export type ImportWish =
  | { from: 'file'; file: string; marks: Marks }
  | { from: 'projects'; keyEnv: string; marks: Marks };

type Marks = Pick<TypedMember, 'label' | 'wave' | 'server'>;

/** Checks a description. Throws a UsageError; what it quotes are names and never values of secrets. */
export function newMember(name: string, typed: TypedMember, where = ''): NewMember {
  const wrong = (message: string, hint?: string) => new UsageError(`${where}${message}`, hint);
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/.test(name)) {
    throw wrong(
      `"${name}" cannot be the name of a member.`,
      'It begins with a letter or digit, and has letters, digits and . _ - @, a hundred at most.',
    );
  }
  const places = secretKinds.flatMap((kind) => [
    { target: 'database' as const, kind, value: typed[databaseFields[kind]] },
    { target: 'project' as const, kind, value: typed[keyFields[kind]] },
  ]);
  const given = places.filter(({ value }) => value !== undefined);
  const [place] = given;
  if (place?.value === undefined || given.length > 1) {
    throw wrong(
      given.length > 1
        ? `${name} has several places for its secret.`
        : `It is not said where the secret of ${name} lies.`,
      'Say one: --database-url-env VARIABLE, --database-url-file PATH or --database-url-vault NAME; or --project-url URL with --key-env, --key-file or --key-vault.',
    );
  }
  const { projectUrl, label = [], wave, server } = typed;
  if ((place.target === 'project') !== (projectUrl !== undefined)) {
    throw wrong(
      '--project-url and a place of the key go together.',
      'A database is named by its URL alone: --database-url-env VARIABLE',
    );
  }
  expectPlace(place.kind, place.value, wrong);
  if (wave !== undefined && !/^[a-z][a-z0-9_-]{0,40}$/.test(wave)) {
    throw wrong(`"${wave}" cannot be the name of a wave.`, 'It is a word in lower case, like canary.');
  }
  return {
    name,
    kind: place.target,
    url: projectUrl === undefined ? null : apiUrl(projectUrl, wrong),
    secret_kind: place.kind,
    secret_name: place.value,
    labels: [...new Set(label)].sort(),
    wave: wave ?? null,
    server: server ?? null,
  };
}

const databaseFields = { env: 'databaseUrlEnv', file: 'databaseUrlFile', vault: 'databaseUrlVault' } as const;
const keyFields = { env: 'keyEnv', file: 'keyFile', vault: 'keyVault' } as const;

type Wrong = (message: string, hint?: string) => UsageError;

/** Someone who types the secret itself in place of its name is told so, without it being told. */
function expectPlace(kind: NewMember['secret_kind'], value: string, wrong: Wrong): void {
  if (/^(postgres(ql)?:|sb_secret_|sbp_|eyJ)/.test(value)) {
    throw wrong(
      'A secret stands where its place should be named. Nothing was stored.',
      'Put it into a variable, a file or the Vault, and name that: --database-url-env ACME_DATABASE_URL',
    );
  }
  if (kind === 'env' && !/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(value)) {
    throw wrong('A variable has a name of letters, digits and _.');
  }
  if (kind === 'file' && !value.startsWith('/')) {
    throw wrong(
      `The file ${value} is named from a folder.`,
      'Name it from the root, as it is on the machines of the workers: /run/secrets/acme',
    );
  }
}

function apiUrl(value: string, wrong: Wrong): string {
  const url = URL.parse(value);
  const hint = 'It looks like https://<ref>.supabase.co.';
  if (!url || !/^https?:$/.test(url.protocol)) throw wrong('--project-url is not the URL of an API.', hint);
  if (url.username || url.password || url.search || url.hash) {
    throw wrong('--project-url must hold neither credentials nor parameters.', hint);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw wrong('--project-url must begin with https://: the key would be readable on the way.', hint);
  }
  return url.href.replace(/\/(rest\/v1\/?)?$/, '');
}

/** The options of `fleet import`. */
export function importWish(
  file: string | undefined,
  { fromProjects, keyEnvOf, label, wave, server }: Marks & { fromProjects?: boolean; keyEnvOf?: string },
): ImportWish {
  const marks: Marks = {
    ...(label && { label }),
    ...(wave !== undefined && { wave }),
    ...(server !== undefined && { server }),
  };
  if ((file === undefined) === !fromProjects) {
    throw new UsageError('Name a file, or say --from-projects; one of the two.');
  }
  if (file !== undefined) {
    if (keyEnvOf !== undefined) throw new UsageError('--key-env-of goes with --from-projects.');
    return { from: 'file', file, marks };
  }
  if (!keyEnvOf?.includes('{ref}')) {
    throw new UsageError(
      '--from-projects needs --key-env-of, with {ref} in it.',
      'It names the variable that holds the secret key of a project: --key-env-of KEY_{ref}',
    );
  }
  return { from: 'projects', keyEnv: keyEnvOf, marks };
}

/** A line of a file: what is empty is not said. */
export const lineSchema = z
  .strictObject({
    name: z.string(),
    database_url_env: z.string(),
    database_url_file: z.string(),
    database_url_vault: z.string(),
    project_url: z.string(),
    key_env: z.string(),
    key_file: z.string(),
    key_vault: z.string(),
    label: z.union([z.string(), z.array(z.string())]),
    wave: z.string(),
    server: z.string(),
  })
  .partial()
  .required({ name: true });
